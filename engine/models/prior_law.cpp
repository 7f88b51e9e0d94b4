#include "models/prior_law.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/gamma.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "base/error.hpp"
#include "equations/lower.hpp"
#include "models/text_law.hpp"
#include "numerics/special.hpp"

namespace hartline::models {

using equations::Statement;
using equations::Syntax;

double constant_argument(const Statement& statement, std::uint32_t part, const std::string& path) {
  equations::Graph graph;
  equations::Scope scope(graph);
  const equations::Id id = scope.lower_part(statement, part, path);
  const std::string text(statement.text_of(statement.at(part)));
  if (!graph.at(id).dimension.none())
    throw UnitError(
        fmt::format("{}: \"{}\" has a unit; arguments are numbers in the unit that stands behind the colon.", path, text));
  const auto value = equations::constant_value(graph, id);
  if (!value || !std::isfinite(*value)) throw SpecError({path, "finite numbers as arguments", "\"" + text + "\"", ""});
  return *value;
}

std::vector<double> listed_values(const Statement& statement, const Syntax& call, const std::string& path) {
  std::vector<double> out;
  for (const std::uint32_t part : call.args) out.push_back(constant_argument(statement, part, path));
  if (call.text == "range") {
    if (out.size() != 3 || !(out[2] > 0) || !(out[1] >= out[0]))
      throw SpecError({path, "range(first, last, step) with last >= first and step > 0", std::string(statement.text_of(call)), ""});
    const double first = out[0], step = out[2], num = std::floor((out[1] - first) / step * (1 + 1e-12) + 1e-9) + 1;
    if (num > 1e6) throw SpecError({path, "at most 1000000 values", fmt::format("{:g}", num), ""});
    out.resize(static_cast<std::size_t>(num));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = first + static_cast<double>(i) * step;
  }
  if (out.empty()) throw SpecError({path, "one value or more", "none", ""});
  return out;
}

namespace {

constexpr double least_share = 1e-10;  // of a law of counts that lies beyond the last value
constexpr std::size_t most_values = 100000;

/// Probabilities of 0, 1, … under a law of counts or choices.
std::vector<double> shares_of(const std::string& name, const std::vector<double>& a, const std::string& path,
                              const std::string& text) {
  const auto want = [&](bool fits, const char* wanted) {
    if (!fits) throw SpecError({path, wanted, "\"" + text + "\"", ""});
  };
  if (name == "bernoulli") {
    want(a.size() == 1 && a[0] > 0 && a[0] < 1, "bernoulli(p) with p between 0 and 1");
    return {1 - a[0], a[0]};
  }
  if (name == "categorical") {
    want(a.size() >= 2 && std::all_of(a.begin(), a.end(), [](double w) { return w > 0; }), "categorical(w0, w1, …), all > 0");
    return a;
  }
  if (name == "poisson") want(a.size() == 1 && a[0] > 0, "poisson(mean) with mean > 0");
  if (name == "negative_binomial") want(a.size() == 2 && a[0] > 0 && a[1] > 0, "negative_binomial(mean, dispersion), both > 0");
  if (name == "binomial")
    want(a.size() == 2 && a[0] >= 1 && std::nearbyint(a[0]) == a[0] && a[1] > 0 && a[1] < 1,
         "binomial(n, p) with a whole number n and p between 0 and 1");
  const TextLaw& law = *std::find_if(text_laws().begin(), text_laws().end(),
                                     [&](const TextLaw& one) { return one.name == name && one.kind == ResponseKind::counts; });
  std::vector<double> out;
  const double most = name == "binomial" ? a[0] : static_cast<double>(most_values), norm = log_norm(law, a);
  for (double k = 0, total = 0; k <= most && total < 1 - least_share; ++k)
    total += out.emplace_back(std::exp(log_weight(law, a, k) - norm));
  want(out.size() < most_values, "a law that ends before 100000");
  return out;
}

}  // namespace

void PriorLaw::read_values(const std::vector<double>& shares) {
  double total = 0, below = 0;
  for (const double share : shares) total += share;
  for (std::size_t k = 0; k < shares.size(); ++k) {
    values_.push_back(static_cast<double>(k));
    cumulative_.push_back((below += shares[k]) / total);
  }
  low_ = values_.front();
  high_ = values_.back();
}

/// Leaves the values between two limits.
void PriorLaw::cut(double low, double high) {
  std::vector<double> values, cumulative;
  for (std::size_t k = 0; k < values_.size(); ++k) {
    if (!(values_[k] >= low && values_[k] <= high)) continue;
    values.push_back(values_[k]);
    if (cumulative_.empty()) continue;
    const double share = cumulative_[k] - (k > 0 ? cumulative_[k - 1] : 0);
    cumulative.push_back(share + (cumulative.empty() ? 0 : cumulative.back()));
  }
  const double total = cumulative.empty() ? 1 : cumulative.back();
  for (double& p : cumulative) p /= total;
  values_ = std::move(values);
  cumulative_ = std::move(cumulative);
  if (values_.empty()) return;
  low_ = values_.front();
  high_ = values_.back();
}

PriorLaw::PriorLaw(const Statement& statement, std::uint32_t at, const std::string& path) {
  const Syntax& call = statement.at(at);
  const std::string text(statement.text_of(call));
  if (call.form != equations::Form::call)
    throw SpecError({path, "a prior, for example uniform(0, 1) or normal(0, 1) : deg", "\"" + text + "\"", ""});
  if (call.text == "truncated") {
    if (call.args.size() != 3) throw SpecError({path, "truncated(law, low, high)", "\"" + text + "\"", ""});
    *this = PriorLaw(statement, call.args[0], path);
    low_ = std::max(low_, constant_argument(statement, call.args[1], path));
    high_ = std::min(high_, constant_argument(statement, call.args[2], path));
    if (is_discrete()) {
      cut(low_, high_);
      if (values_.empty()) throw SpecError({path, "an interval that holds a value", "\"" + text + "\"", ""});
      return;
    }
    cdf_low_ = free_cdf(low_);
    cdf_high_ = free_cdf(high_);
    if (!(low_ < high_ && cdf_high_ - cdf_low_ > 1e-6))  // less, and the digits of 1 - cdf are gone
      throw SpecError({path, "an interval that holds a millionth of the law or more", "\"" + text + "\"", ""});
    return;
  }
  if (call.text == "values" || call.text == "range") {
    kind_ = Kind::values;
    values_ = listed_values(statement, call, path);
    std::sort(values_.begin(), values_.end());
    if (std::adjacent_find(values_.begin(), values_.end()) != values_.end())
      throw SpecError({path, "values that differ", "\"" + text + "\"", ""});
    low_ = values_.front();
    high_ = values_.back();
    return;
  }
  constexpr std::string_view counted[] = {"poisson", "negative_binomial", "binomial", "bernoulli", "categorical"};
  if (std::find(std::begin(counted), std::end(counted), call.text) != std::end(counted)) {
    std::vector<double> args;
    for (const std::uint32_t part : call.args) args.push_back(constant_argument(statement, part, path));
    kind_ = Kind::values;
    read_values(shares_of(call.text, args, path, text));
    return;
  }
  struct Known {
    std::string_view name;
    Kind kind;
    std::size_t num;
    const char* wanted;
  };
  static constexpr Known forms[] = {{"uniform", Kind::uniform, 2, "uniform(low, high) with low < high"},
                                    {"normal", Kind::normal, 2, "normal(mean, sd) with sd > 0"},
                                    {"lognormal", Kind::lognormal, 2, "lognormal(mean, sd) of the logarithm with sd > 0"},
                                    {"half_normal", Kind::half_normal, 1, "half_normal(sd) with sd > 0"},
                                    {"exponential", Kind::exponential, 1, "exponential(mean) with mean > 0"},
                                    {"gamma", Kind::gamma, 2, "gamma(shape, scale), both > 0"},
                                    {"beta", Kind::beta, 2, "beta(a, b), both > 0"}};
  for (const Known& form : forms) {
    if (form.name != call.text) continue;
    kind_ = form.kind;
    std::vector<double> args;
    for (const std::uint32_t part : call.args) args.push_back(constant_argument(statement, part, path));
    if (args.size() == form.num) {
      a_ = args[0];
      b_ = form.num > 1 ? args[1] : 0;
      const bool by_sd = kind_ == Kind::normal || kind_ == Kind::lognormal, both = kind_ == Kind::gamma || kind_ == Kind::beta;
      const bool fits = kind_ == Kind::uniform ? a_ < b_ : by_sd ? b_ > 0 : both ? a_ > 0 && b_ > 0 : a_ > 0;
      if (fits) {
        if (kind_ == Kind::uniform) {
          low_ = a_;
          high_ = b_;
        } else if (kind_ != Kind::normal) {
          low_ = 0;
          if (kind_ == Kind::beta) high_ = 1;
        }
        return;
      }
    }
    throw SpecError({path, form.wanted, "\"" + text + "\"", ""});
  }
  static constexpr std::string_view names[] = {
      "uniform", "normal",  "lognormal",         "half_normal", "exponential", "gamma",       "beta",     "values",
      "range",   "poisson", "negative_binomial", "binomial",    "bernoulli",   "categorical", "truncated"};
  throw SpecError(
      {path, fmt::format("one of {}", fmt::join(names, ", ")), "\"" + call.text + "\"", did_you_mean(call.text, names)});
}

double PriorLaw::quantile(double u) const {
  if (!cumulative_.empty()) {
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), u);
    return values_[std::min(static_cast<std::size_t>(at - cumulative_.begin()), values_.size() - 1)];
  }
  if (is_discrete())
    return values_[std::min(static_cast<std::size_t>(u * static_cast<double>(values_.size())), values_.size() - 1)];
  const double below = cdf_low_ + (cdf_high_ - cdf_low_) * u;
  return std::clamp(free_quantile(std::clamp(below, 1e-300, 1 - 0x1p-53)), low_, high_);
}

double PriorLaw::from_normal(double z) const {
  const auto above = [](double t) { return numerics::normal_cdf(-t); };
  if (is_discrete()) return quantile(std::min(above(-z), 1 - 0x1p-53));
  const bool whole = cdf_low_ == 0 && cdf_high_ == 1;
  if (whole && kind_ == Kind::normal) return a_ + b_ * z;
  if (whole && kind_ == Kind::lognormal) return std::exp(a_ + b_ * z);
  const double share = cdf_high_ - cdf_low_;
  const double x = z < 0 ? free_quantile(std::clamp(cdf_low_ + share * above(-z), 1e-300, 1 - 0x1p-53))
                         : free_upper_quantile(std::clamp(1 - cdf_high_ + share * above(z), 1e-300, 1 - 0x1p-53));
  return std::clamp(x, low_, high_);
}

void PriorLaw::slopes_from_normal(double z, double x, double& first, double& second) const {
  // p(x) dx = φ(z) dz
  first = std::exp(-0.5 * z * z - 0.91893853320467274178 - log_density(x));
  double of_density = 0;  // d log p / dx
  switch (kind_) {
    case Kind::normal:
      of_density = -(x - a_) / (b_ * b_);
      break;
    case Kind::lognormal:
      of_density = -((std::log(x) - a_) / (b_ * b_) + 1) / x;
      break;
    case Kind::half_normal:
      of_density = -x / (a_ * a_);
      break;
    case Kind::exponential:
      of_density = -1 / a_;
      break;
    case Kind::gamma:
      of_density = (a_ - 1) / x - 1 / b_;
      break;
    case Kind::beta:
      of_density = (a_ - 1) / x - (b_ - 1) / (1 - x);
      break;
    default:
      break;
  }
  second = -first * (z + first * of_density);
}

double PriorLaw::log_density(double x) const {
  if (!(x >= low_ && x <= high_)) return -std::numeric_limits<double>::infinity();
  if (is_discrete()) {
    const auto at = std::lower_bound(values_.begin(), values_.end(), x);
    if (at == values_.end() || *at != x) return -std::numeric_limits<double>::infinity();
    if (cumulative_.empty()) return -std::log(static_cast<double>(values_.size()));
    const auto k = static_cast<std::size_t>(at - values_.begin());
    return std::log(cumulative_[k] - (k > 0 ? cumulative_[k - 1] : 0));
  }
  return free_log_density(x) - std::log(cdf_high_ - cdf_low_);
}

double PriorLaw::score_of(std::size_t k) const {
  const double n = static_cast<double>(values_.size()), at = static_cast<double>(k);
  const double below = cumulative_.empty() ? at / n : k > 0 ? cumulative_[k - 1] : 0;
  const double up_to = cumulative_.empty() ? (at + 1) / n : cumulative_[k];
  return numerics::normal_quantile(0.5 * (below + up_to));
}

std::vector<double> PriorLaw::nodes(std::size_t num) const {
  if (is_discrete()) return values_;
  std::vector<double> out;
  for (std::size_t k = 0; k < num; ++k) out.push_back(quantile((static_cast<double>(k) + 0.5) / static_cast<double>(num)));
  return out;
}

double PriorLaw::free_quantile(double u) const {
  namespace bm = boost::math;
  switch (kind_) {
    case Kind::uniform:
      return a_ + (b_ - a_) * u;
    case Kind::normal:
      return bm::quantile(bm::normal(a_, b_), u);
    case Kind::lognormal:
      return std::exp(bm::quantile(bm::normal(a_, b_), u));
    case Kind::half_normal:
      return bm::quantile(bm::normal(0, a_), 0.5 + 0.5 * u);
    case Kind::exponential:
      return -a_ * std::log1p(-u);
    case Kind::gamma:
      return bm::quantile(bm::gamma_distribution<>(a_, b_), u);
    case Kind::beta:
      return bm::quantile(bm::beta_distribution<>(a_, b_), u);
    case Kind::values:
      break;
  }
  return 0;
}

double PriorLaw::free_upper_quantile(double above) const {
  namespace bm = boost::math;
  switch (kind_) {
    case Kind::uniform:
      return b_ - (b_ - a_) * above;
    case Kind::normal:
      return bm::quantile(bm::complement(bm::normal(a_, b_), above));
    case Kind::lognormal:
      return std::exp(bm::quantile(bm::complement(bm::normal(a_, b_), above)));
    case Kind::half_normal:
      return bm::quantile(bm::complement(bm::normal(0, a_), 0.5 * above));
    case Kind::exponential:
      return -a_ * std::log(above);
    case Kind::gamma:
      return bm::quantile(bm::complement(bm::gamma_distribution<>(a_, b_), above));
    case Kind::beta:
      return bm::quantile(bm::complement(bm::beta_distribution<>(a_, b_), above));
    case Kind::values:
      break;
  }
  return 0;
}

double PriorLaw::free_cdf(double x) const {
  namespace bm = boost::math;
  const double inf = std::numeric_limits<double>::infinity();
  if (x == -inf) return 0;
  if (x == inf) return 1;
  if (kind_ != Kind::uniform && kind_ != Kind::normal && x <= 0) return 0;
  switch (kind_) {
    case Kind::uniform:
      return std::clamp((x - a_) / (b_ - a_), 0.0, 1.0);
    case Kind::normal:
      return bm::cdf(bm::normal(a_, b_), x);
    case Kind::lognormal:
      return bm::cdf(bm::normal(a_, b_), std::log(x));
    case Kind::half_normal:
      return 2 * bm::cdf(bm::normal(0, a_), x) - 1;
    case Kind::exponential:
      return -std::expm1(-x / a_);
    case Kind::gamma:
      return bm::cdf(bm::gamma_distribution<>(a_, b_), x);
    case Kind::beta:
      return x >= 1 ? 1 : bm::cdf(bm::beta_distribution<>(a_, b_), x);
    case Kind::values:
      break;
  }
  return 0;
}

double PriorLaw::free_log_density(double x) const {
  const auto times_log = [](double c, double y) { return c == 0 ? 0 : c * std::log(y); };  // 0 log 0 = 0
  constexpr double half_log_two_pi = 0.91893853320467274178;
  const auto normal = [](double z, double sd) { return -0.5 * z * z - std::log(sd) - half_log_two_pi; };
  switch (kind_) {
    case Kind::uniform:
      return -std::log(b_ - a_);
    case Kind::normal:
      return normal((x - a_) / b_, b_);
    case Kind::lognormal:
      return x > 0 ? normal((std::log(x) - a_) / b_, b_) - std::log(x) : -std::numeric_limits<double>::infinity();
    case Kind::half_normal:
      return normal(x / a_, a_) + std::log(2.0);
    case Kind::exponential:
      return -x / a_ - std::log(a_);
    case Kind::gamma:
      return times_log(a_ - 1, x) - x / b_ - std::lgamma(a_) - a_ * std::log(b_);
    case Kind::beta:
      return times_log(a_ - 1, x) + times_log(b_ - 1, 1 - x) + std::lgamma(a_ + b_) - std::lgamma(a_) - std::lgamma(b_);
    case Kind::values:
      break;
  }
  return 0;
}

}  // namespace hartline::models
