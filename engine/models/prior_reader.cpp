// Priors as texts say them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/error.hpp"
#include "equations/lower.hpp"
#include "models/prior_law.hpp"
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
  if (name == "logits" || name == "ordinal") {
    const bool by_limits = name == "ordinal";
    want(!a.empty() && (!by_limits || (a.size() >= 2 && std::is_sorted(a.begin() + 1, a.end(), std::less_equal<>()))),
         by_limits ? "ordinal(eta, c1, c2, …) with c1 < c2 < …" : "logits(v1, v2, …)");
    std::vector<double> out;
    if (!by_limits) {
      const double top = std::max(0.0, *std::max_element(a.begin(), a.end()));
      out.push_back(std::exp(-top));
      for (const double v : a) out.push_back(std::exp(v - top));
      return out;
    }
    for (std::size_t k = 1; k <= a.size(); ++k) {
      const double from = k > 1 ? a[k - 1] - a[0] : -INFINITY, to = k < a.size() ? a[k] - a[0] : INFINITY;
      out.push_back(from > 0 ? numerics::normal_cdf(-from) - numerics::normal_cdf(-to)
                             : numerics::normal_cdf(to) - numerics::normal_cdf(from));
    }
    return out;
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
  if (call.text == "truncated" || call.text == "mixture") {
    call.text == "mixture" ? read_mixture(statement, call, path) : read_truncated(statement, call, path);
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
  constexpr std::string_view counted[] = {"poisson", "negative_binomial", "binomial", "bernoulli", "categorical", "logits",
                                          "ordinal"};
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
  static constexpr Known forms[] = {
      {"uniform", Kind::uniform, 2, "uniform(low, high) with low < high"},
      {"normal", Kind::normal, 2, "normal(mean, sd) with sd > 0"},
      {"lognormal", Kind::lognormal, 2, "lognormal(mean, sd) of the logarithm with sd > 0"},
      {"half_normal", Kind::half_normal, 1, "half_normal(sd) with sd > 0"},
      {"exponential", Kind::exponential, 1, "exponential(mean) with mean > 0"},
      {"gamma", Kind::gamma, 2, "gamma(shape, scale), both > 0"},
      {"beta", Kind::beta, 2, "beta(a, b), both > 0"},
      {"zero_inflated_gamma", Kind::zero_inflated_gamma, 3,
       "zero_inflated_gamma(p, shape, scale) with p between 0 and 1, the others > 0"},
      {"clipped_normal", Kind::clipped_normal, 4, "clipped_normal(mean, sd, low, high) with sd > 0 and low < high"},
      {"von_mises", Kind::von_mises, 2, "von_mises(mean, concentration) of an angle or of a number, with concentration > 0"},
      {"circular", Kind::uniform, 2, "circular(low, high) with low < high"}};
  for (const Known& form : forms) {
    if (form.name != call.text) continue;
    kind_ = form.kind;
    std::vector<double> args;
    for (const std::uint32_t part : call.args) args.push_back(constant_argument(statement, part, path));
    if (args.size() == form.num) {
      const auto positive = [](double x) { return x > 0; };
      // a zero-inflated gamma is one of gamma's, with p behind
      if (kind_ == Kind::zero_inflated_gamma) std::rotate(args.begin(), args.begin() + 1, args.end());
      args.resize(4, 0.0);
      a_ = args[0];
      b_ = args[1];
      c_ = args[2];
      d_ = args[3];
      const bool is_angle = statement.unit.dimension == angle();
      bool fits = false;
      switch (kind_) {
        case Kind::uniform:
          fits = a_ < b_;
          break;
        case Kind::normal:
        case Kind::lognormal:
          fits = positive(b_);
          break;
        case Kind::clipped_normal:
          fits = positive(b_) && c_ < d_;
          break;
        case Kind::von_mises:
          fits = positive(b_) && (is_angle || statement.unit.dimension.none());
          break;
        case Kind::zero_inflated_gamma:
          fits = positive(a_) && positive(b_) && c_ > 0 && c_ < 1;
          break;
        case Kind::gamma:
        case Kind::beta:
          fits = positive(a_) && positive(b_);
          break;
        default:
          fits = positive(a_);
      }
      if (fits) {
        if (kind_ == Kind::von_mises) period_ = 2 * std::numbers::pi / statement.unit.scale;
        if (call.text == "circular") period_ = b_ - a_;
        if (kind_ == Kind::uniform || kind_ == Kind::clipped_normal) {
          low_ = kind_ == Kind::uniform ? a_ : c_;
          high_ = kind_ == Kind::uniform ? b_ : d_;
        } else if (kind_ == Kind::von_mises) {
          low_ = a_ - 0.5 * period_;
          high_ = a_ + 0.5 * period_;
        } else if (kind_ != Kind::normal) {
          low_ = 0;
          if (kind_ == Kind::beta) high_ = 1;
        }
        return;
      }
      args.resize(form.num);
    }
    const bool is_known = args.size() == 2 && (kind_ == Kind::uniform ? a_ == b_ : kind_ == Kind::normal && b_ == 0);
    throw SpecError(
        {path, form.wanted, "\"" + text + "\"", is_known ? fmt::format("What is known is values({}).", number_text(a_)) : ""});
  }
  static constexpr std::string_view names[] = {"uniform",
                                               "normal",
                                               "lognormal",
                                               "half_normal",
                                               "exponential",
                                               "gamma",
                                               "beta",
                                               "zero_inflated_gamma",
                                               "clipped_normal",
                                               "von_mises",
                                               "circular",
                                               "values",
                                               "range",
                                               "poisson",
                                               "negative_binomial",
                                               "binomial",
                                               "bernoulli",
                                               "categorical",
                                               "logits",
                                               "ordinal",
                                               "truncated",
                                               "mixture"};
  throw SpecError(
      {path, fmt::format("one of {}", fmt::join(names, ", ")), "\"" + call.text + "\"", did_you_mean(call.text, names)});
}

void PriorLaw::read_truncated(const Statement& statement, const Syntax& call, const std::string& path) {
  const std::string text(statement.text_of(call));
  if (call.args.size() != 3) throw SpecError({path, "truncated(law, low, high)", "\"" + text + "\"", ""});
  *this = PriorLaw(statement, call.args[0], path);
  period_ = 0;  // a part of a circle is a line
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
}

void PriorLaw::read_mixture(const Statement& statement, const Syntax& call, const std::string& path) {
  const std::string text(statement.text_of(call));
  if (call.args.size() < 4 || call.args.size() % 2 != 0)
    throw SpecError({path, "mixture(weight, law(…), weight, law(…), …)", "\"" + text + "\"", ""});
  kind_ = Kind::mixture;
  double total = 0;
  for (std::size_t k = 0; k < call.args.size(); k += 2) {
    shares_.push_back(constant_argument(statement, call.args[k], path));
    parts_.emplace_back(statement, call.args[k + 1], path);
    if (!(shares_.back() > 0)) throw SpecError({path, "weights > 0", "\"" + text + "\"", ""});
    total += shares_.back();
  }
  for (double& share : shares_) share /= total;
  low_ = high_ = parts_[0].low();
  for (const PriorLaw& part : parts_) {
    low_ = std::min(low_, part.low());
    high_ = std::max(high_, part.high());
    period_ = &part == &parts_[0] || part.period() == period_ ? part.period() : 0;
  }
  if (!std::all_of(parts_.begin(), parts_.end(), [](const PriorLaw& part) { return part.is_discrete(); })) {
    for (const PriorLaw& part : parts_) {
      atoms_.insert(atoms_.end(), part.values_.begin(), part.values_.end());
      atoms_.insert(atoms_.end(), part.atoms_.begin(), part.atoms_.end());
      if (part.kind_ == Kind::zero_inflated_gamma) atoms_.push_back(0);
      if (part.kind_ == Kind::clipped_normal) atoms_.insert(atoms_.end(), {part.c_, part.d_});
    }
    std::sort(atoms_.begin(), atoms_.end());
    atoms_.erase(std::unique(atoms_.begin(), atoms_.end()), atoms_.end());
    return;
  }
  // single values with their shares
  std::map<double, double> together;
  for (std::size_t k = 0; k < parts_.size(); ++k)
    for (const double x : parts_[k].values_) together[x] += shares_[k] * std::exp(parts_[k].log_density(x));
  kind_ = Kind::values;
  parts_.clear();
  double below = 0;
  for (const auto& [x, share] : together) {
    values_.push_back(x);
    cumulative_.push_back(below += share);
  }
  for (double& p : cumulative_) p /= below;
}

}  // namespace hartline::models
