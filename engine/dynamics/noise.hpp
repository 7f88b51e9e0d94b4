// Noise: rows of random numbers for neurons and synapses. Number l of a row is a function of (seed, source, step, l), so neither
// threads nor blocks matter.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hartline::dynamics {

constexpr std::size_t noise_block = 16;  // a row is filled from multiples of this

/// Where a row comes from.
struct NoiseSource {
  std::uint64_t seed = 0;
  std::uint32_t source = 0;  // which row of a step
};

/// Uniform in [0, 1) with 53 bits: out [num] are numbers first … first + num - 1, first a multiple of noise_block.
/// Reference: Philox 4x32, ten rounds, Salmon et al. 2011, doi 10.1145/2063384.2063405    (noise_test.cpp: Noise.IsPhilox)
void fill_uniform(const NoiseSource& source, std::int64_t step, std::size_t first, std::size_t num, double* out);

/// Standard normal, by the transform of Box & Muller 1958.
/// Accuracy: 1e-14 from the transform in 113 bits    (noise_test.cpp: Noise.NormalIsTheTransform)
void fill_normal(const NoiseSource& source, std::int64_t step, std::size_t first, std::size_t num, double* out);

}  // namespace hartline::dynamics
