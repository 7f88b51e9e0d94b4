#include "models/normal_mixture.hpp"

#include <algorithm>
#include <cmath>

namespace hartline::models {

namespace {

constexpr double half_log_two_pi = 0.91893853320467274178;

/// log of the sum of e^o over the first output of each law.
double log_total(const NormalMixture& mixture, const double* o, std::size_t stride) {
  const std::size_t each = mixture.num_outputs() / mixture.num_components;
  double top = o[0], total = 0;
  for (std::size_t k = 1; k < mixture.num_components; ++k) top = std::max(top, o[k * each * stride]);
  for (std::size_t k = 0; k < mixture.num_components; ++k) total += std::exp(o[k * each * stride] - top);
  return top + std::log(total);
}

}  // namespace

double NormalMixture::log_density(const double* o, std::size_t stride, std::span<const double> z, double* slope) const {
  const std::size_t each = num_outputs() / num_components;
  thread_local std::vector<double> logs, u;
  logs.resize(num_components);
  u.resize(num_components * d);
  const double norm = log_total(*this, o, stride);
  for (std::size_t k = 0; k < num_components; ++k) {
    const double *mean = o + (k * each + 1) * stride, *root = mean + d * stride;
    double log_density = o[k * each * stride] - norm - static_cast<double>(d) * half_log_two_pi;
    for (std::size_t i = 0; i < d; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j <= i; ++j, root += stride) {
        sum += (j == i ? std::exp(*root) : *root) * (z[j] - mean[j * stride]);
        if (j == i) log_density += *root;
      }
      u[k * d + i] = sum;
      log_density -= 0.5 * sum * sum;
    }
    logs[k] = log_density;
  }
  const double top = *std::max_element(logs.begin(), logs.end());
  double total = 0;
  for (const double one : logs) total += std::exp(one - top);
  const double out = top + std::log(total);
  if (!slope) return out;
  for (std::size_t k = 0; k < num_components; ++k) {
    const double share = std::exp(logs[k] - out);
    double *d_mean = slope + (k * each + 1) * stride, *d_root = d_mean + d * stride;
    const double *mean = o + (k * each + 1) * stride, *root = mean + d * stride;
    slope[k * each * stride] = share - std::exp(o[k * each * stride] - norm);
    for (std::size_t j = 0; j < d; ++j) d_mean[j * stride] = 0;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j <= i; ++j, root += stride, d_root += stride) {
        const double a = j == i ? std::exp(*root) : *root, pull = u[k * d + i];
        d_mean[j * stride] += share * a * pull;
        *d_root = share * (j == i ? 1 - pull * a * (z[j] - mean[j * stride]) : -pull * (z[j] - mean[j * stride]));
      }
  }
  return out;
}

void NormalMixture::draw(const double* o, std::size_t stride, std::span<const double> normals, std::size_t num, double* z) const {
  const std::size_t each = num_outputs() / num_components;
  const double norm = log_total(*this, o, stride);
  std::size_t k = 0;
  double reached = std::exp(o[0] - norm);
  for (std::size_t n = 0; n < num; ++n) {
    while (k + 1 < num_components && (static_cast<double>(n) + 0.5) / static_cast<double>(num) > reached)
      reached += std::exp(o[++k * each * stride] - norm);
    const double *mean = o + (k * each + 1) * stride, *root = mean + d * stride;
    for (std::size_t i = 0; i < d; ++i) {
      double rest = normals[i * num + n];
      for (std::size_t j = 0; j < i; ++j, root += stride) rest -= *root * (z[j * num + n] - mean[j * stride]);
      z[i * num + n] = mean[i * stride] + rest / std::exp(*root);
      root += stride;
    }
  }
}

}  // namespace hartline::models
