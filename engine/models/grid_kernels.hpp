// Kernels of the grid belief: weighted averages over blocks of nodes. No allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hartline::models {

constexpr std::size_t block_size = 256;   // nodes that are passed over together
constexpr std::size_t group_size = 32;    // nodes whose counts are followed together
constexpr std::size_t max_counts = 1024;  // of a table

/// Largest count that matters for Poisson(rate): what lies above has probability below 1e-15.
int count_bound(double rate);

/// Entropy of Poisson(rate), nats; zero = exp(-rate).
double poisson_entropy(double rate, double zero, std::span<const double> log_factorials);

/// out_c += Σ_n w_n table[c, n] for num_rows tables; returns Σ_n w_n entropy_n.
double average(const double* weights, const double* table, std::size_t stride, std::size_t num_rows, const double* entropy,
               std::size_t count, double* out);
double average(const double* weights, const float* table, std::size_t stride, std::size_t num_rows, const float* entropy,
               std::size_t count, double* out);

/// out_r += Σ_n w_n Poisson(r; rate_n); top[g]: the largest count that matters in group g of the block. Returns Σ_n w_n entropy_n.
double average_counts(const double* weights, const double* rate, const double* zero, const double* entropy, std::size_t count,
                      const std::uint16_t* top, double* out);

/// out_n = log p(r | Poisson(rate_n)) up to nothing: the factorial is included. out may be rate.
void poisson_log_likelihood(const double* rate, std::size_t count, double r, double* out);

/// out_n = log x_n, -infinity where x_n <= 0. out may be x.
void log_all(const double* x, std::size_t count, double* out);

/// log Σ_n exp(a_n + b_n)
double log_mean_exp(const double* a, const double* b, std::size_t count);

/// log_weights_n += log_likelihood_n - log_evidence; weights_n = exp(log_weights_n).
void reweight(double* log_weights, const double* log_likelihood, double log_evidence, std::size_t count, double* weights);

}  // namespace hartline::models
