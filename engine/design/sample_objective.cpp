#include "design/sample_objective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::design {

using models::ParameterSets;
using models::SampleView;

namespace {

constexpr double num_groups = 16;  // of samples alike in the target

}  // namespace

SampleObjective::SampleObjective(const DesignSpec& spec, const SampleView& prior, std::span<const std::string> names)
    : kappa_(spec.kappa),
      likelihood_(*prior.likelihood),
      information_(*prior.likelihood->text().law, prior.likelihood->num_arguments()) {
  constexpr std::pair<const char*, Kind> kinds[] = {{"mutual_information", Kind::mutual_information},
                                                    {"target", Kind::target},
                                                    {"posterior_variance", Kind::posterior_variance},
                                                    {"expected_response", Kind::expected_response},
                                                    {"upper_confidence", Kind::upper_confidence}};
  const auto* found = std::find_if(std::begin(kinds), std::end(kinds), [&](const auto& one) { return spec.utility == one.first; });
  if (found == std::end(kinds))
    throw SpecError({"design.utility",
                     "one of mutual_information, target, posterior_variance, expected_response, upper_confidence for a belief by "
                     "samples",
                     "\"" + spec.utility + "\"", ""});
  kind_ = found->second;
  gradient_ = (kind_ == Kind::mutual_information || kind_ == Kind::target) && information_.has_slopes();
  if (kind_ != Kind::target) return;
  if (!spec.target_weights.empty())
    throw SpecError({"design.target_weights", "absent for a belief by samples",
                     fmt::format("{} numbers", spec.target_weights.size()), "Name parameters in design.target."});
  if (spec.target.empty())
    throw SpecError({"design.target", "given", "nothing", "Name the parameters that the experiment is about."});
  for (std::size_t k = 0; k < spec.target.size(); ++k) {
    if (static_cast<std::size_t>(spec.target[k]) >= names.size())
      throw SpecError({fmt::format("design.target[{}]", k),
                       fmt::format("one of 0 … {} ({})", names.size() - 1, fmt::join(names, ", ")),
                       fmt::format("{}", spec.target[k]), ""});
    target_.push_back(static_cast<std::size_t>(spec.target[k]));
  }
  groups_each_ =
      std::max<std::size_t>(2, static_cast<std::size_t>(std::pow(num_groups, 1 / static_cast<double>(target_.size())) + 1e-9));
}

void SampleObjective::prepare(const SampleView& view, Prepared& p) const {
  const std::size_t all = view.weights.size(), num_parameters = likelihood_.text().num_parameters;
  const double least = 1e-9 / static_cast<double>(all);
  const std::size_t num_futures = view.outlook.empty() ? 1 : view.outlook.size();
  const auto weight = [&](std::size_t future, std::size_t i) {
    return view.outlook.empty() ? view.weights[i] : view.outlook[future][i];
  };
  p.order.clear();
  for (std::size_t i = 0; i < all; ++i) {
    double most = 0;
    for (std::size_t f = 0; f < num_futures; ++f) most = std::max(most, weight(f, i));
    if (most > least) p.order.emplace_back(0, static_cast<std::uint32_t>(i));
  }
  p.num = p.order.size();
  p.ends.assign(1, p.num);
  // groups: quantiles of the first target parameter, in each of those quantiles of the second, …
  for (const std::size_t k : target_) {
    std::vector<std::size_t> ends;
    std::size_t first = 0;
    for (const std::size_t end : p.ends) {
      for (std::size_t n = first; n < end; ++n) p.order[n].first = view.parameters[k * all + p.order[n].second];
      std::sort(p.order.begin() + static_cast<std::ptrdiff_t>(first), p.order.begin() + static_cast<std::ptrdiff_t>(end));
      double total = 0, below = 0;
      for (std::size_t n = first; n < end; ++n) total += weight(0, p.order[n].second);
      for (std::size_t n = first, g = 1; n < end; ++n) {
        below += weight(0, p.order[n].second);
        const bool last = n + 1 == end;
        // equal values stay together
        if (!last && (below < total * static_cast<double>(g) / static_cast<double>(groups_each_) ||
                      p.order[n + 1].first == p.order[n].first))
          continue;
        ends.push_back(n + 1);
        while (below >= total * static_cast<double>(g) / static_cast<double>(groups_each_) && g < groups_each_) ++g;
      }
      first = end;
    }
    p.ends = std::move(ends);
  }
  p.parameters.resize(num_parameters * p.num);
  for (std::size_t k = 0; k < num_parameters; ++k)
    for (std::size_t n = 0; n < p.num; ++n) p.parameters[k * p.num + n] = view.parameters[k * all + p.order[n].second];
  p.weights.resize(num_futures);
  for (std::size_t f = 0; f < num_futures; ++f) {
    p.weights[f].resize(p.num);
    double total = 0;
    for (std::size_t n = 0; n < p.num; ++n) total += p.weights[f][n] = weight(f, p.order[n].second);
    for (double& w : p.weights[f]) w /= total;
  }
}

void SampleObjective::thin(const Prepared& all, std::size_t num, Prepared& out) const {
  if (all.num < num + num / 2) {
    out = all;
    return;
  }
  const std::size_t num_futures = all.weights.size(), num_parameters = likelihood_.text().num_parameters;
  // those of the first future by their weights; the others are weighted against it
  out.order.clear();
  out.ends.clear();
  double below = 0;
  std::size_t group = 0;
  for (std::size_t n = 0; n < all.num; ++n) {
    below += all.weights[0][n] * static_cast<double>(num);
    while (static_cast<double>(out.order.size()) + 0.5 < below) out.order.emplace_back(0, static_cast<std::uint32_t>(n));
    if (n + 1 == all.ends[group]) {
      out.ends.push_back(out.order.size());
      ++group;
    }
  }
  out.num = out.order.size();
  out.parameters.resize(num_parameters * out.num);
  for (std::size_t k = 0; k < num_parameters; ++k)
    for (std::size_t n = 0; n < out.num; ++n) out.parameters[k * out.num + n] = all.parameters[k * all.num + out.order[n].second];
  out.weights.resize(num_futures);
  for (std::size_t f = 0; f < num_futures; ++f) {
    out.weights[f].resize(out.num);
    double total = 0;
    for (std::size_t n = 0; n < out.num; ++n)
      total += out.weights[f][n] = all.weights[f][out.order[n].second] / all.weights[0][out.order[n].second];
    for (double& w : out.weights[f]) w /= total;
  }
}

/// The information of one future, with its slopes in scratch.slopes.
double SampleObjective::information(const Prepared& p, std::span<const double> weights, Scratch& s, bool slopes) const {
  const std::size_t num_arguments = likelihood_.num_arguments();
  double out = information_(weights, s.arguments.data(), p.num, s.information, slopes ? s.slopes.data() : nullptr);
  if (kind_ != Kind::target) return out;
  s.group_weights.resize(p.num);
  s.group_slopes.resize(num_arguments * p.num);
  std::size_t first = 0;
  for (const std::size_t end : p.ends) {
    double total = 0;
    for (std::size_t n = first; n < end; ++n) total += weights[n];
    if (total > 0) {
      for (std::size_t n = first; n < end; ++n) s.group_weights[n] = weights[n] / total;
      out -= total * information_({&s.group_weights[first], end - first}, &s.arguments[first], p.num, s.information,
                                  slopes ? &s.group_slopes[first] : nullptr);
      for (std::size_t k = 0; slopes && k < num_arguments; ++k)
        for (std::size_t n = first; n < end; ++n) s.slopes[k * p.num + n] -= total * s.group_slopes[k * p.num + n];
    }
    first = end;
  }
  return out;
}

double SampleObjective::operator()(const Prepared& p, std::span<const double> x, Scratch& s, std::span<double> gradient,
                                   double* expected) const {
  const std::size_t num_arguments = likelihood_.num_arguments(), dim = x.size();
  const models::TextLaw& law = *likelihood_.text().law;
  const ParameterSets sets{p.parameters.data(), p.num, p.num};
  const double share = 1 / static_cast<double>(p.weights.size());
  s.arguments.resize(num_arguments * (gradient.empty() ? 1 : 1 + dim) * p.num);
  if (gradient.empty())
    likelihood_.arguments(x, sets, s.arguments.data());
  else
    likelihood_.argument_gradient(x, sets, s.arguments.data());
  const bool of_response = kind_ != Kind::mutual_information && kind_ != Kind::target;
  double out = 0;
  if (of_response || expected) {
    double mean = 0, square = 0, a[64];
    for (std::size_t n = 0; n < p.num; ++n) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = s.arguments[k * p.num + n];
      const double value = models::expected_value(law, {a, num_arguments});
      for (const std::vector<double>& weights : p.weights) {
        mean += share * weights[n] * value;
        square += share * weights[n] * value * value;
      }
    }
    if (expected) *expected = mean;
    const double variance = std::max(0.0, square - mean * mean);
    if (kind_ == Kind::posterior_variance) out = variance;
    if (kind_ == Kind::expected_response) out = mean;
    if (kind_ == Kind::upper_confidence) out = mean + kappa_ * std::sqrt(variance);
    if (of_response) return out;
  }
  std::fill(gradient.begin(), gradient.end(), 0.0);
  s.slopes.resize(num_arguments * p.num);
  for (const std::vector<double>& weights : p.weights) {
    out += share * information(p, weights, s, !gradient.empty());
    for (std::size_t j = 0; j < gradient.size(); ++j)
      for (std::size_t k = 0; k < num_arguments; ++k) {
        const double *slope = &s.slopes[k * p.num], *by_x = &s.arguments[(num_arguments + k * dim + j) * p.num];
        double total = 0;
        for (std::size_t n = 0; n < p.num; ++n) total += slope[n] * by_x[n];
        gradient[j] += share * total;
      }
  }
  return out;
}

}  // namespace hartline::design
