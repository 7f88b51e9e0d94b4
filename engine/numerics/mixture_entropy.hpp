// Entropy of a mixture of normal laws, whatever their means and widths.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hartline::numerics {

/// p(y) = Σ_i w_i N(y; m_i, s_i²), weights of any sum.
///
/// Components stand together by the octave of their standard deviation. With P_k the sum of those of octave k and of all wider
/// ones,
///
///   -∫ p log p dy = Σ_k ∫ f(P_k) - f(P_{k+1}) dy      f(p) = -p log p
///
/// Each difference varies on the scale of octave k and is zero where that has no component, so that the trapezoidal rule with nodes
/// a third of its least standard deviation apart, near its components only, has them all; P_{k+1} is interpolated at these nodes
/// from its own. The cost grows with the number of components alone, some fifty nodes each.
/// Accuracy: 1e-4 of the entropy of a mixture whose weights sum to one, for standard deviations within 1e12 of each other
/// (mixture_entropy_test.cpp: MixtureEntropy.EntropyEqualsAdaptiveQuadrature)
/// Allocates: nothing, once it has seen as many components.
class MixtureEntropy {
 public:
  /// Takes the components and returns -∫ p log p dy, nats. Means have to be finite, standard deviations finite and > 0.
  double entropy(std::span<const double> weights, const double* means, const double* sds);

  /// p(y)
  double density(double y) const;

  /// Derivatives of the entropy by every component's weight, mean and standard deviation, and of what else depends on densities
  /// as add_slope() has told; to be asked for once. `by_weight` may be null.
  /// (mixture_entropy_test.cpp: MixtureEntropy.SlopesAreDifferences)
  void slopes(double* by_weight, double* by_mean, double* by_sd);

  /// Something else has this derivative by the density at y.
  void add_slope(double y, double by_density);

 private:
  struct Octave {
    double step = 0;                  // between nodes
    std::size_t first = 0, last = 0;  // components in order_
    std::size_t first_stretch = 0, last_stretch = 0;
  };
  struct Stretch {      // of nodes without a gap
    double anchor = 0;  // y at node `pad`
    std::size_t at = 0, num = 0;
  };
  /// Where a density is interpolated: six nodes from the first on, at t in [0, 1) behind the third.
  struct Place {
    std::size_t first = none;
    double t = 0;
  };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  void group(std::span<const double> sds);
  void lay(Octave& octave);
  void lay_stretch(const Octave& octave, std::size_t first, std::size_t last);
  Place find(std::size_t octave, double anchor, double offset) const;
  double read(const Place& place) const;
  void push(const Place& place, double slope);
  double add_own(std::size_t octave_idx);

  std::span<const double> weights_;
  const double *means_ = nullptr, *sds_ = nullptr;
  std::vector<Octave> octaves_;  // narrow ones first
  std::vector<Stretch> stretches_;
  std::vector<std::size_t> order_, counts_, stretch_of_;  // components, by octave; components of each; of every one in order
  std::vector<double> total_, below_, slope_;             // at every node: P_k, P_{k+1}, derivative by P_k
  std::vector<Place> places_;                             // of P_{k+1} at every node
};

}  // namespace hartline::numerics
