#include "design/sample_objective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/random.hpp"
#include "design/random_law.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::design {

using models::ParameterSets;
using models::SampleView;

namespace {

constexpr double num_groups = 16;  // of samples alike in the target

std::vector<const models::TextLikelihood*> likelihoods_of(const models::CandidatesView& prior) {
  std::vector<const models::TextLikelihood*> out;
  for (std::size_t k = 0; k < prior.models.size(); ++k) {
    const models::Capability capability = prior.models[k]->capability(*prior.beliefs[k]);
    const auto* view = std::get_if<SampleView>(&capability);
    if (!view)
      throw SpecError({fmt::format("model.candidate[{}].belief", k), "by samples, as that of the first candidate", "another",
                       "Particles, Laplace's method and grids that follow are beliefs by samples."});
    out.push_back(view->likelihood);
  }
  return out;
}

/// Stimuli that the error of predictions is averaged over.
std::vector<double> averaged(const DesignSpec& spec, const StimulusSet& set) {
  const bool pool = set.kind() == SetKind::pool;
  if (spec.average_over != "auto" && spec.average_over != (pool ? "pool" : "law"))
    throw SpecError({"design.average_over", pool ? "pool for a belief by samples" : "law for a belief by samples and a box",
                     "\"" + spec.average_over + "\"", ""});
  std::vector<double> out;
  if (pool) {
    const std::size_t num = std::min(set.num(), SampleObjective::num_averaged);
    for (std::size_t k = 0; k < num; ++k) {
      const auto from = set.pool.begin() + static_cast<std::ptrdiff_t>(k * set.num() / num * set.dim);
      out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(set.dim));
    }
    return out;
  }
  const RandomLaw law(spec, set);
  Stream stream(0, Purpose::design, 0, 3);
  out.resize(SampleObjective::num_averaged * set.dim);
  for (std::size_t k = 0; k < SampleObjective::num_averaged; ++k) law.draw(stream, {&out[k * set.dim], set.dim});
  return out;
}

}  // namespace

SampleObjective::SampleObjective(const DesignSpec& spec, const StimulusSet& set, const SampleView& prior,
                                 std::span<const std::string> names)
    : kappa_(spec.kappa),
      likelihoods_{prior.likelihood},
      num_arguments_(prior.likelihood->num_arguments()),
      information_(prior.likelihood->text().laws) {
  constexpr std::pair<const char*, Kind> kinds[] = {
      {"mutual_information", Kind::mutual_information}, {"target", Kind::target},
      {"parameter_variance", Kind::parameter_variance}, {"prediction_error", Kind::prediction_error},
      {"posterior_variance", Kind::posterior_variance}, {"expected_response", Kind::expected_response},
      {"upper_confidence", Kind::upper_confidence}};
  const auto* found = std::find_if(std::begin(kinds), std::end(kinds), [&](const auto& one) { return spec.utility == one.first; });
  if (found == std::end(kinds))
    throw SpecError({"design.utility",
                     "one of mutual_information, target, parameter_variance, prediction_error, posterior_variance, "
                     "expected_response, upper_confidence for a belief by samples",
                     "\"" + spec.utility + "\"", ""});
  kind_ = found->second;
  gradient_ = (kind_ == Kind::mutual_information || kind_ == Kind::target) && information_.has_slopes();
  if (kind_ == Kind::prediction_error) averaged_ = averaged(spec, set);
  if (kind_ != Kind::target) return;
  if (!spec.target_weights.empty())
    throw SpecError({"design.target_weights", "absent for a belief by samples",
                     fmt::format("{} numbers", spec.target_weights.size()), "Name parameters in design.target."});
  if (spec.target.empty())
    throw SpecError({"design.target", "given", "nothing", "Name the parameters that the experiment is about."});
  target_ = std::make_shared<const TargetFunctions>(spec.target, names);
  groups_each_ =
      std::max<std::size_t>(2, static_cast<std::size_t>(std::pow(num_groups, 1 / static_cast<double>(target_->num())) + 1e-9));
}

namespace {

/// Arguments mean the same: of choices they are probabilities.
bool is_same(const models::LawPart& a, const models::LawPart& b) {
  if (a.num != b.num || a.first != b.first || a.law->kind != b.law->kind) return false;
  if (a.law->kind == ResponseKind::choice) return true;
  return a.law->form == b.law->form &&
         std::equal(a.law->parts.begin(), a.law->parts.end(), b.law->parts.begin(), b.law->parts.end(), is_same);
}

}  // namespace

SampleObjective::SampleObjective(const models::CandidatesView& prior)
    : kind_(Kind::model_information),
      kappa_(0),
      likelihoods_(likelihoods_of(prior)),
      num_arguments_(0),
      information_(likelihoods_[0]->text().laws) {
  const std::vector<models::LawPart>& first = likelihoods_[0]->text().laws;
  std::vector<std::vector<models::LawPart>> laws;
  bool same = true;
  for (const models::TextLikelihood* likelihood : likelihoods_) {
    laws.push_back(likelihood->text().laws);
    const bool alike = std::equal(first.begin(), first.end(), laws.back().begin(), laws.back().end(),
                                  [](const auto& a, const auto& b) { return a.law->kind == b.law->kind; });
    if (!alike || laws.back().size() != first.size())
      throw SpecError({fmt::format("model.candidate[{}]", laws.size() - 1), "responses of the same kinds as the first candidate's",
                       "\"" + std::string(laws.back()[0].law->name) + "\"", "A count cannot be a trace."});
    same = same && std::equal(first.begin(), first.end(), laws.back().begin(), laws.back().end(), is_same);
    num_arguments_ = std::max(num_arguments_, likelihood->num_arguments());
  }
  if (!same) of_models_.emplace(std::move(laws));
  gradient_ = same && information_.has_slopes();
}

void SampleObjective::prepare(const models::Capability& belief, Prepared& p) const {
  p.order.clear();
  p.ends.clear();
  p.weights.resize(std::min<std::size_t>(p.weights.size(), 1));
  for (std::vector<double>& weights : p.weights) weights.clear();
  p.parts.resize(likelihoods_.size());
  p.num = 0;
  if (const auto* view = std::get_if<SampleView>(&belief)) {
    p.parts[0].num = 0;
    add(*view, 1, p);
  } else {
    const auto& candidates = std::get<models::CandidatesView>(belief);
    for (std::size_t k = 0; k < candidates.models.size(); ++k)
      add(std::get<SampleView>(candidates.models[k]->capability(*candidates.beliefs[k])), candidates.weights[k], p);
  }
  for (std::vector<double>& weights : p.weights) {
    double total = 0;
    for (const double w : weights) total += w;
    for (double& w : weights) w /= total;
  }
  set_features(p);
}

void SampleObjective::set_features(Prepared& p) const {
  const Part& part = p.parts[0];
  if (kind_ == Kind::parameter_variance) {
    const std::size_t num_parameters = likelihoods_[0]->num_rows() - likelihoods_[0]->text().num_states;
    p.features.assign(part.parameters.begin(), part.parameters.begin() + static_cast<std::ptrdiff_t>(num_parameters * p.num));
  }
  if (kind_ != Kind::prediction_error) return;
  const models::LawPart& first = likelihoods_[0]->text().laws[0];
  const std::size_t num_arguments = likelihoods_[0]->num_arguments(), dim = likelihoods_[0]->text().stimulus_dim;
  const std::size_t num = averaged_.size() / dim;
  std::vector<double>& arguments = p.targets;
  arguments.resize(num_arguments * p.num);
  p.features.resize(num * p.num);
  double a[64];
  for (std::size_t x = 0; x < num; ++x) {
    likelihoods_[0]->arguments({&averaged_[x * dim], dim}, {part.parameters.data(), p.num, p.num}, arguments.data(), p.num);
    for (std::size_t n = 0; n < p.num; ++n) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = arguments[k * p.num + n];
      p.features[x * p.num + n] = models::expected_value(*first.law, first.of({a, num_arguments}));
    }
  }
}

/// The samples of one model, after those of the models before.
void SampleObjective::add(const SampleView& view, double share, Prepared& p) const {
  Part& part = p.parts[p.ends.empty() ? 0 : p.ends.size()];
  const std::size_t all = view.weights.size(), num_rows = view.likelihood->num_rows();
  const double least = 1e-9 / static_cast<double>(all);
  const std::size_t num_futures = view.outlook.empty() ? 1 : view.outlook.size();
  if (p.weights.size() < num_futures) p.weights.resize(num_futures, p.weights.empty() ? std::vector<double>() : p.weights[0]);
  const auto weight = [&](std::size_t future, std::size_t i) {
    return share * (view.outlook.empty() ? view.weights[i] : view.outlook[future % num_futures][i]);
  };
  p.order.clear();
  for (std::size_t i = 0; i < all; ++i) {
    double most = 0;
    for (std::size_t f = 0; f < num_futures; ++f) most = std::max(most, weight(f, i));
    if (most > least) p.order.emplace_back(0, static_cast<std::uint32_t>(i));
  }
  part.first = p.num;
  part.num = p.order.size();
  p.num += part.num;
  if (!target_)
    p.ends.push_back(p.num);
  else
    group(view, p);
  part.parameters.resize(num_rows * part.num);
  for (std::size_t k = 0; k < num_rows; ++k)
    for (std::size_t n = 0; n < part.num; ++n) part.parameters[k * part.num + n] = view.parameters[k * all + p.order[n].second];
  for (std::size_t f = 0; f < p.weights.size(); ++f)
    for (const auto& [unused, i] : p.order) p.weights[f].push_back(weight(f, i));
}

/// Groups of one model's samples: quantiles of the first target, in each of those quantiles of the second, …
void SampleObjective::group(const SampleView& view, Prepared& p) const {
  const std::size_t all = view.weights.size();
  p.ends.assign(1, p.num);
  p.targets.resize(target_->num() * all);
  (*target_)(view.parameters, all, all, p.targets.data());
  for (const double value : p.targets) TargetFunctions::check(value);
  for (std::size_t k = 0; k < target_->num(); ++k) {
    std::vector<std::size_t> ends;
    std::size_t first = 0;
    for (const std::size_t end : p.ends) {
      for (std::size_t n = first; n < end; ++n) p.order[n].first = p.targets[k * all + p.order[n].second];
      std::sort(p.order.begin() + static_cast<std::ptrdiff_t>(first), p.order.begin() + static_cast<std::ptrdiff_t>(end));
      double total = 0, below = 0;
      for (std::size_t n = first; n < end; ++n) total += view.weights[p.order[n].second];
      for (std::size_t n = first, g = 1; n < end; ++n) {
        below += view.weights[p.order[n].second];
        const auto up_to = [&] { return total * static_cast<double>(g) / static_cast<double>(groups_each_); };
        // equal values stay together
        if (n + 1 < end && (below < up_to() || p.order[n + 1].first == p.order[n].first)) continue;
        ends.push_back(n + 1);
        while (below >= up_to() && g < groups_each_) ++g;
      }
      first = end;
    }
    p.ends = std::move(ends);
  }
}

void SampleObjective::thin(const Prepared& all, std::size_t num, Prepared& out) const {
  if (all.num < num + num / 2) {
    out = all;
    return;
  }
  const std::size_t num_futures = all.weights.size();
  // those of the first future by their weights; the others are weighted against it
  out.order.clear();
  out.ends.clear();
  out.parts.resize(all.parts.size());
  double below = 0;
  std::size_t part = 0;
  out.parts[0].first = 0;
  const auto close_parts = [&](std::size_t n) {
    while (part < all.parts.size() && n == all.parts[part].first + all.parts[part].num) {
      out.parts[part].num = out.order.size() - out.parts[part].first;
      if (++part < all.parts.size()) out.parts[part].first = out.order.size();
    }
  };
  const auto close_groups = [&](std::size_t n) {
    while (out.ends.size() < all.ends.size() && all.ends[out.ends.size()] == n) out.ends.push_back(out.order.size());
  };
  for (std::size_t n = 0; n < all.num; ++n) {
    close_parts(n);
    close_groups(n);
    below += all.weights[0][n] * static_cast<double>(num);
    while (static_cast<double>(out.order.size()) + 0.5 < below) out.order.emplace_back(0, static_cast<std::uint32_t>(n));
  }
  close_parts(all.num);
  close_groups(all.num);
  out.num = out.order.size();
  for (std::size_t m = 0; m < all.parts.size(); ++m) {
    const Part& from = all.parts[m];
    Part& to = out.parts[m];
    const std::size_t num_rows = likelihoods_[m]->num_rows();
    to.parameters.resize(num_rows * to.num);
    for (std::size_t k = 0; k < num_rows; ++k)
      for (std::size_t n = 0; n < to.num; ++n)
        to.parameters[k * to.num + n] = from.parameters[k * from.num + out.order[to.first + n].second - from.first];
  }
  out.weights.resize(num_futures);
  for (std::size_t f = 0; f < num_futures; ++f) {
    out.weights[f].resize(out.num);
    double total = 0;
    for (std::size_t n = 0; n < out.num; ++n)
      total += out.weights[f][n] = all.weights[f][out.order[n].second] / all.weights[0][out.order[n].second];
    for (double& w : out.weights[f]) w /= total;
  }
  set_features(out);
}

/// The information of one future, with its slopes in scratch.slopes.
double SampleObjective::information(const Prepared& p, std::span<const double> weights, Scratch& s, bool slopes,
                                    double* by_weight) const {
  if (of_models_) {
    const double out = (*of_models_)(weights, p.ends, s.arguments.data(), p.num, s.of_models);
    s.error = s.of_models.standard_error;
    s.limit = std::numeric_limits<double>::infinity();
    return out;
  }
  const std::size_t num_arguments = num_arguments_;
  double out = information_(weights, s.arguments.data(), p.num, s.information, slopes ? s.slopes.data() : nullptr, by_weight);
  s.error = s.information.standard_error;
  s.limit = s.information.limit;
  if (kind_ != Kind::target && kind_ != Kind::model_information) return out;
  s.group_weights.resize(p.num);
  s.group_slopes.resize(num_arguments * p.num);
  s.group_divergences.resize(p.num);
  std::size_t first = 0;
  for (const std::size_t end : p.ends) {
    double total = 0;
    for (std::size_t n = first; n < end; ++n) total += weights[n];
    if (total > 0) {
      for (std::size_t n = first; n < end; ++n) s.group_weights[n] = weights[n] / total;
      out -= total * information_({&s.group_weights[first], end - first}, &s.arguments[first], p.num, s.information,
                                  slopes ? &s.group_slopes[first] : nullptr, by_weight ? &s.group_divergences[first] : nullptr);
      for (std::size_t n = first; by_weight && n < end; ++n) by_weight[n] -= s.group_divergences[n];
      s.error = std::hypot(s.error, total * s.information.standard_error);
      for (std::size_t k = 0; slopes && k < num_arguments; ++k)
        for (std::size_t n = first; n < end; ++n) s.slopes[k * p.num + n] -= total * s.group_slopes[k * p.num + n];
    }
    first = end;
  }
  return out;
}

double SampleObjective::limit(const Prepared& p) const {
  constexpr std::size_t few = 200;  // sets, which may be all that there are
  return kind_ == Kind::mutual_information && p.num > few ? std::log(static_cast<double>(p.num))
                                                          : std::numeric_limits<double>::infinity();
}

void SampleObjective::set_arguments(const Prepared& p, std::span<const double> x, Scratch& s, bool slopes) const {
  s.arguments.resize(num_arguments_ * (slopes ? 1 + x.size() : 1) * p.num);
  for (std::size_t m = 0; m < p.parts.size(); ++m) {
    const Part& part = p.parts[m];
    const ParameterSets sets{part.parameters.data(), part.num, part.num};
    if (slopes)
      likelihoods_[m]->argument_gradient(x, sets, &s.arguments[part.first], p.num);
    else
      likelihoods_[m]->arguments(x, sets, &s.arguments[part.first], p.num);
  }
}

/// The expected fall of variances of one future.
double SampleObjective::fall(const Prepared& p, std::span<const double> weights, Scratch& s) const {
  const std::size_t num_features = p.features.size() / p.num;
  const double out = information_.expected_fall(weights, s.arguments.data(), p.features.data(), num_features, p.num, s.information);
  const double share = kind_ == Kind::parameter_variance ? 1 : 1 / static_cast<double>(num_features);
  s.error = share * s.information.standard_error;
  s.limit = std::numeric_limits<double>::infinity();
  return share * out;
}

/// Mean and mean square of the expected first response.
std::pair<double, double> SampleObjective::response_moments(const Prepared& p, std::span<const std::vector<double>> weights,
                                                            const Scratch& s) const {
  const double share = 1 / static_cast<double>(weights.size());
  double mean = 0, square = 0, a[64];
  for (std::size_t m = 0; m < p.parts.size(); ++m) {
    const std::size_t num_arguments = likelihoods_[m]->num_arguments();
    const models::LawPart& law = likelihoods_[m]->text().laws[0];
    for (std::size_t n = p.parts[m].first; n < p.parts[m].first + p.parts[m].num; ++n) {
      for (std::size_t k = 0; k < num_arguments; ++k) a[k] = s.arguments[k * p.num + n];
      const double value = models::expected_value(*law.law, law.of({a, num_arguments}));
      for (const std::vector<double>& w : weights) {
        mean += share * w[n] * value;
        square += share * w[n] * value * value;
      }
    }
  }
  return {mean, square};
}

double SampleObjective::of_response(const std::pair<double, double>& moments) const {
  const auto [mean, square] = moments;
  const double variance = std::max(0.0, square - mean * mean);
  if (kind_ == Kind::posterior_variance) return variance;
  return kind_ == Kind::expected_response ? mean : mean + kappa_ * std::sqrt(variance);
}

void SampleObjective::each(const Prepared& p, std::span<const std::vector<double>> weights, std::span<const std::size_t> which,
                           std::span<const double> x, Scratch& s, std::span<double> utility) const {
  set_arguments(p, x, s, false);
  for (std::size_t k = 0; k < utility.size(); ++k) {
    const std::vector<double>& w = weights[which[k]];
    utility[k] = is_of_response() ? of_response(response_moments(p, {&w, 1}, s))
                 : is_fall()      ? fall(p, w, s)
                                  : information(p, w, s, false);
  }
}

double SampleObjective::operator()(const Prepared& p, std::span<const double> x, Scratch& s, std::span<double> gradient,
                                   double* expected) const {
  const double share = 1 / static_cast<double>(p.weights.size());
  set_arguments(p, x, s, !gradient.empty());
  if (is_of_response() || expected) {
    const auto moments = response_moments(p, p.weights, s);
    if (expected) *expected = moments.first;
    if (is_of_response()) return of_response(moments);
  }
  double out = 0;
  std::fill(gradient.begin(), gradient.end(), 0.0);
  s.slopes.resize(likelihoods_[0]->num_arguments() * p.num);
  for (const std::vector<double>& weights : p.weights) {
    out += share * (is_fall() ? fall(p, weights, s) : information(p, weights, s, !gradient.empty()));
    add_gradient(p, share, s, gradient);
  }
  return out;
}

double SampleObjective::under(const Prepared& p, std::span<const double> weights, std::span<const double> x, Scratch& s,
                              std::span<double> gradient, std::span<double> by_weight) const {
  set_arguments(p, x, s, !gradient.empty());
  s.slopes.resize(likelihoods_[0]->num_arguments() * p.num);
  const double out = information(p, weights, s, !gradient.empty(), by_weight.data());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  add_gradient(p, 1, s, gradient);
  return out;
}

void SampleObjective::add_gradient(const Prepared& p, double share, const Scratch& s, std::span<double> gradient) const {
  const std::size_t num_arguments = likelihoods_[0]->num_arguments(), dim = gradient.size();
  for (std::size_t j = 0; j < dim; ++j)
    for (std::size_t k = 0; k < num_arguments; ++k) {
      const double *slope = &s.slopes[k * p.num], *by_x = &s.arguments[(num_arguments + k * dim + j) * p.num];
      double total = 0;
      for (std::size_t n = 0; n < p.num; ++n) total += slope[n] * by_x[n];
      gradient[j] += share * total;
    }
}

}  // namespace hartline::design
