// Counter-based random streams: a stream is a function of (seed, purpose, trial, index), so nothing depends on call order or
// threads.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>

namespace hartline {

/// What a stream is for; two purposes never share numbers. Values are part of the record's meaning: append only.
enum class Purpose : std::uint32_t {
  truth = 1,      // parameters of a simulated subject
  response = 2,   // responses of a simulated subject
  drift = 3,      // parameter drift of a simulated subject
  design = 4,     // random designs
  tie = 5,        // directions that break ties
  pool = 6,       // generated pools
  held_out = 7,   // held-out stimuli and responses
  bootstrap = 8,  // intervals
  token = 9,      // tokens of trials
  test = 10,      // tests and benchmarks
  arm = 11,       // which arm a trial serves
  mismatch = 12,  // the randomisation of the mismatch test
  imagine = 13,   // responses that are still to come
  sensor = 14,    // what befalls a response on its way: losses, delays
  contrast = 15,  // parameters that a score compares with the truth
  particles = 16,  // starts, resampling and moves of particles
  connect = 19,    // synapses of a simulated network
  input = 20,      // spikes from outside a simulated network
};

/// A stream of random numbers (Philox 4x64, ten rounds).
/// Repeatable: the same four numbers give the same stream, on any thread    (base_test.cpp:
/// Random.StreamsDependOnEveryPartOfTheirName) Reference: Salmon et al. 2011, doi 10.1145/2063384.2063405
class Stream {
 public:
  using result_type = std::uint64_t;

  Stream(std::uint64_t seed, Purpose purpose, std::uint64_t trial = 0, std::uint64_t index = 0)
      : seed_(seed), purpose_(static_cast<std::uint64_t>(purpose)), trial_(trial), index_(index) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()();

  /// Uniform in [0, 1).
  double uniform();
  /// Standard normal.
  double normal();
  /// Poisson count with the given mean ≥ 0. Throws: RunError from 1e15 on.
  double poisson(double mean);
  /// Gamma with the given shape and scale, both > 0.
  double gamma(double shape, double scale);
  /// Uniform in 0 … count - 1.
  std::int64_t integer(std::int64_t count);

  void fill_normal(std::span<double> out);
  /// Uniform on the sphere of the given radius.
  void fill_sphere(std::span<double> out, double radius);

 private:
  std::uint64_t seed_, purpose_, trial_, index_;
  std::uint64_t block_ = 0;
  std::array<std::uint64_t, 4> numbers_{};
  int left_ = 0;
  double spare_normal_ = 0;
  bool has_spare_ = false;
};

}  // namespace hartline
