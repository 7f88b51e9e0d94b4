// Priors of single parameters, as a text names them: uniform(-10, 10), lognormal(log(2), 0.5), truncated(normal(0, 1), 0, 3).
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "equations/syntax.hpp"

namespace hartline::models {

/// A distribution of one number, in the unit that its text states.
///
///   uniform(low, high)   normal(mean, sd)   lognormal(mean, sd) of the logarithm   half_normal(sd)   exponential(mean)
///   gamma(shape, scale)  beta(a, b)         values(v, …): each equally likely       range(first, last, step): the same
///   zero_inflated_gamma(p, shape, scale): 0 with probability p      clipped_normal(mean, sd, low, high): low and high where it is
///   beyond poisson(mean)        negative_binomial(mean, dispersion)        binomial(n, p)    bernoulli(p) categorical(w0, w1, …)
///   logits(v1, v2, …)  ordinal(eta, c1, c2, …): 0, 1, … truncated(law, low, high)            mixture(weight, law(…), weight,
///   law(…), …) circular(low, high): anywhere on a circle on which high is low again von_mises(mean, concentration): of an angle,
///   mean in the stated unit
///
/// (prior_law_test.cpp: PriorLaws.QuantilesAreThoseOfTheDensity, PriorLaws.CountsAndChoicesHaveTheirProbabilities)
class PriorLaw {
 public:
  /// Reads a call. Throws: SpecError.
  PriorLaw(const equations::Statement& statement, std::uint32_t call, const std::string& path);

  double quantile(double u) const;
  double draw(Stream& stream) const {
    return values_.empty() || !cumulative_.empty()
               ? quantile(stream.uniform())
               : values_[static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(values_.size())))];
  }
  /// The value at the same quantile as z under N(0, 1): with z ~ N(0, 1) it follows the law. Exact far out on both sides.
  /// Of `values` the one whose turn it is.
  double from_normal(double z) const;
  /// d x / d z and d² x / d z² of x = from_normal(z); of laws with a density.
  void slopes_from_normal(double z, double x, double& first, double& second) const;
  /// log p(x), -∞ outside; of single values the probability.
  double log_density(double x) const;

  /// Of single values these, else nodes of equal probability, the quantiles (k + ½) / num.
  std::vector<double> nodes(std::size_t num) const;

  double low() const { return low_; }
  double high() const { return high_; }
  bool is_discrete() const { return !values_.empty(); }
  /// No single value has a probability.
  bool has_density() const;
  /// Length of the circle that the values lie on; 0: they lie on a line.
  double period() const { return period_; }
  /// Single values that are not all equally likely.
  bool is_uneven() const { return !cumulative_.empty(); }
  /// The normal score in the middle of value k's share.
  double score_of(std::size_t k) const;

 private:
  enum class Kind {
    uniform,
    normal,
    lognormal,
    half_normal,
    exponential,
    gamma,
    beta,
    zero_inflated_gamma,
    clipped_normal,
    von_mises,
    mixture,
    values
  };
  double free_quantile(double u) const;            // not truncated
  double free_upper_quantile(double above) const;  // of 1 - above
  double free_cdf(double x) const;
  double free_above(double x) const;  // 1 - cdf, exact far out
  double free_log_density(double x) const;
  double log_density_slope(double x) const;
  double cdf(double x) const;
  double above(double x) const;
  double probability(double x) const;  // of a single value
  std::pair<double, double> bracket(double share, bool above) const;
  double solve(double share, bool above) const;  // the value with that share below it, or above

  Kind kind_ = Kind::uniform;
  double a_ = 0, b_ = 1, c_ = 0, d_ = 0;
  double period_ = 0;
  std::vector<PriorLaw> parts_;  // of a mixture
  std::vector<double> shares_;   // of the parts, sum to one
  std::vector<double> atoms_;    // single values with a probability, of a mixture
  double low_ = -std::numeric_limits<double>::infinity(), high_ = std::numeric_limits<double>::infinity();  // support
  double cdf_low_ = 0, cdf_high_ = 1;
  void read_truncated(const equations::Statement& statement, const equations::Syntax& call, const std::string& path);
  void read_mixture(const equations::Statement& statement, const equations::Syntax& call, const std::string& path);
  void read_values(const std::vector<double>& shares);  // of 0, 1, …
  void cut(double low, double high);

  std::vector<double> values_;      // ascending; empty: any number
  std::vector<double> cumulative_;  // P(x <= values_[k]); empty: each equally likely
};

/// A number made of constants. Throws: SpecError where it is none, UnitError where it has a unit.
double constant_argument(const equations::Statement& statement, std::uint32_t part, const std::string& path);

/// Arguments of values(…) or range(first, last, step). Throws: SpecError for none, for more than a million and for what is not
/// finite.
std::vector<double> listed_values(const equations::Statement& statement, const equations::Syntax& call, const std::string& path);

}  // namespace hartline::models
