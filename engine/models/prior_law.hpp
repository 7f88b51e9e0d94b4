// Priors of single parameters, as a text names them: uniform(-10, 10), lognormal(log(2), 0.5), truncated(normal(0, 1), 0, 3).
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "equations/syntax.hpp"

namespace hartline::models {

/// A distribution of one number, in the unit that its text states.
///
///   uniform(low, high)   normal(mean, sd)   lognormal(mean, sd) of the logarithm   half_normal(sd)   exponential(mean)
///   gamma(shape, scale)  beta(a, b)         values(v, …): each equally likely       range(first, last, step): the same
///   poisson(mean)        negative_binomial(mean, dispersion)        binomial(n, p)    bernoulli(p)
///   categorical(w0, w1, …): 0, 1, …                                 truncated(law, low, high)
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
  /// d x / d z and d² x / d z² of x = from_normal(z); not of `values`.
  void slopes_from_normal(double z, double x, double& first, double& second) const;
  /// log p(x), -∞ outside; of one of `values` the probability.
  double log_density(double x) const;

  /// Of single values these, else nodes of equal probability, the quantiles (k + ½) / num.
  std::vector<double> nodes(std::size_t num) const;

  double low() const { return low_; }
  double high() const { return high_; }
  bool is_discrete() const { return !values_.empty(); }
  /// Single values that are not all equally likely.
  bool is_uneven() const { return !cumulative_.empty(); }
  /// The normal score in the middle of value k's share.
  double score_of(std::size_t k) const;

 private:
  enum class Kind { uniform, normal, lognormal, half_normal, exponential, gamma, beta, values };
  double free_quantile(double u) const;            // not truncated
  double free_upper_quantile(double above) const;  // of 1 - above
  double free_cdf(double x) const;
  double free_log_density(double x) const;

  Kind kind_ = Kind::uniform;
  double a_ = 0, b_ = 1;
  double low_ = -std::numeric_limits<double>::infinity(), high_ = std::numeric_limits<double>::infinity();  // support
  double cdf_low_ = 0, cdf_high_ = 1;
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
