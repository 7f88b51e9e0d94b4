#include "design/candidates_scorer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/response_integral.hpp"
#include "design/scratch_slots.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

using models::CandidatesView;
using models::Capability;
using models::DiscreteView;
using models::GaussianView;
using models::ResponseLaw;

constexpr double max_count = 20000;

/// p[r] = ∫ p(r | ρ) N(ρ; m, v) dρ for every outcome that matters.
void predictive(const ResponseLaw& law, double m, double v, std::vector<double>& p) {
  if (law.law == models::Law::bernoulli) {
    const double one = models::expected_response(law, m, v);
    p.assign({1 - one, one});
    return;
  }
  const double sd = std::sqrt(std::max(v, 0.0)), top_mean = law.mean(m + 6.5 * sd);
  const double last = top_mean + 8 * std::sqrt(law.variance(m + 6.5 * sd)) + 12;
  if (!(last < max_count))
    throw RunError({"design.utility", fmt::format("one of models that expect fewer than {} counts", max_count),
                    number_text(top_mean), "Shorten bin_ms or bar strong stimuli."});
  p.assign(static_cast<std::size_t>(last) + 1, 0.0);
  // the step resolves both the belief and the law, whose width in ρ is that of the relative deviation of the count
  const double width = 1 / std::sqrt(top_mean + 1), step = sd > 0 ? std::min(0.5, 0.6 * width / sd) : 1;
  const int half = sd > 0 ? static_cast<int>(std::ceil(7 / step)) : 0;
  for (int k = -half; k <= half; ++k) {
    const double z = k * step, rho = m + sd * z;
    const double weight = sd > 0 ? step * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi) : 1;
    const double mean = law.mean(rho), spread = 9 * std::sqrt(law.variance(rho)) + 14;
    const auto from = static_cast<std::size_t>(std::max(0.0, mean - spread));
    const std::size_t to = std::min(p.size(), static_cast<std::size_t>(mean + spread) + 1);
    double q = from < to ? std::exp(law.log_likelihood(static_cast<double>(from), rho)) : 0;
    for (std::size_t r = from; r < to; ++r) {
      p[r] += weight * q;
      q = law.law == models::Law::poisson ? q * mean / static_cast<double>(r + 1)
                                          : std::exp(law.log_likelihood(static_cast<double>(r + 1), rho));
    }
  }
}

struct CandidatesScratch {
  explicit CandidatesScratch(std::size_t num_models) : p(num_models) {
    for (auto& of_model : p) of_model.reserve(static_cast<std::size_t>(max_count));
    part.reserve(static_cast<std::size_t>(max_count));
  }
  std::vector<std::vector<double>> p;  // of each model
  std::vector<double> part;
};

struct CandidatesState final : PoolScorer::State {
  CandidatesState(int num_threads, std::size_t num_models) : slots(num_threads, num_models) {}
  ScratchSlots<CandidatesScratch> slots;
  std::vector<std::vector<double>> m, v;  // [num_models][num], of linear models
};

class CandidatesScorer final : public PoolScorer {
 public:
  CandidatesScorer(const StimulusSet& set, const CandidatesView& prior, Executor& executor)
      : set_(set), executor_(executor), num_models_(prior.models.size()) {
    for (std::size_t k = 0; k < num_models_; ++k) {
      const Capability capability = prior.models[k]->capability(*prior.beliefs[k]);
      const auto refuse = [&](const char* wanted, const char* got) {
        throw SpecError({fmt::format("model.candidates[{}]", k), wanted, got, "Model information is not worked out for it."});
      };
      if (const auto* view = std::get_if<GaussianView>(&capability)) {
        if (view->reach) refuse("a model that does not look back", "one that does");
        if (view->law->law == models::Law::gaussian) refuse("one of counts or choices", "one of traces");
      } else if (const auto* tables = std::get_if<DiscreteView>(&capability)) {
        if (tables->tables->num_stimuli() != set.num()) refuse("one with tables over the pool", "one over other stimuli");
      } else {
        refuse("linear or on a grid", "another belief");
      }
    }
  }

  std::unique_ptr<State> make_state() const override {
    auto state = std::make_unique<CandidatesState>(executor_.num_threads(), num_models_);
    state->m.resize(num_models_, std::vector<double>(set_.num()));
    state->v.resize(num_models_, std::vector<double>(set_.num()));
    return state;
  }
  std::size_t block_size() const override { return 8; }
  void follow(State&, const Capability&, std::span<const std::uint8_t>) const override {}

  void prepare(State& any_state, const Capability& belief, std::span<const std::uint8_t> left) const override {
    auto& state = static_cast<CandidatesState&>(any_state);
    const auto& view = std::get<CandidatesView>(belief);
    for (std::size_t k = 0; k < num_models_; ++k) {
      const Capability capability = view.models[k]->capability(*view.beliefs[k]);
      const auto* linear = std::get_if<GaussianView>(&capability);
      if (!linear) continue;
      constexpr std::size_t block = 64;
      executor_.for_each_block(static_cast<int>((set_.num() + block - 1) / block), [&](int b) {
        const std::size_t first = static_cast<std::size_t>(b) * block;
        for (std::size_t i = first; i < std::min(first + block, set_.num()); ++i)
          if (left[i]) project(*linear, i, state.m[k][i], state.v[k][i]);
      });
    }
  }

  void score(State& any_state, const Capability& belief, std::span<const std::size_t> members, std::span<double> utility,
             std::span<double> expected_count) const override {
    auto& state = static_cast<CandidatesState&>(any_state);
    state.slots.with([&](CandidatesScratch& scratch) {
      score(state, scratch, std::get<CandidatesView>(belief), members, utility, expected_count);
    });
  }

 private:
  void score(const CandidatesState& state, CandidatesScratch& scratch, const CandidatesView& view,
             std::span<const std::size_t> members, std::span<double> utility, std::span<double> expected_count) const {
    std::vector<std::vector<double>>& p = scratch.p;
    for (std::size_t n = 0; n < members.size(); ++n) {
      const std::size_t i = members[n];
      std::size_t num_outcomes = 0;
      for (std::size_t k = 0; k < num_models_; ++k) {
        const Capability capability = view.models[k]->capability(*view.beliefs[k]);
        if (const auto* linear = std::get_if<GaussianView>(&capability))
          predictive(*linear->law, state.m[k][i], state.v[k][i], p[k]);
        else
          of_tables(std::get<DiscreteView>(capability), i, p[k], scratch.part);
        num_outcomes = std::max(num_outcomes, p[k].size());
      }
      utility[n] = 0;
      double expected = 0;
      for (std::size_t r = 0; r < num_outcomes; ++r) {
        double mixed = 0;
        for (std::size_t k = 0; k < num_models_; ++k)
          if (r < p[k].size()) mixed += view.weights[k] * p[k][r];
        for (std::size_t k = 0; k < num_models_; ++k)
          if (r < p[k].size() && p[k][r] > 0 && view.weights[k] > 0)
            utility[n] += view.weights[k] * p[k][r] * std::log(p[k][r] / mixed);
        expected += static_cast<double>(r) * mixed;
      }
      if (!expected_count.empty()) expected_count[n] = expected;
    }
  }

  void project(const GaussianView& view, std::size_t i, double& m, double& v) const {
    const std::size_t n = set_.dim;
    const bool bias = view.dim > n;
    const double* x = &set_.pool[i * n];
    m = numerics::dot(x, view.mean, n) + (bias ? view.mean[n] : 0);
    v = bias ? 2 * numerics::dot(x, view.covariance + n * view.dim, n) + view.covariance[n * view.dim + n] : 0;
    constexpr std::size_t at_once = 64;
    double image[at_once];
    for (std::size_t row = 0; row < n; row += at_once) {
      const std::size_t count = std::min(at_once, n - row);
      numerics::multiply_rows(view.covariance, view.dim, row, row + count, n, x, image);
      v += numerics::dot(x + row, image, count);
    }
  }

  static void of_tables(const DiscreteView& view, std::size_t i, std::vector<double>& p, std::vector<double>& part) {
    p.assign(view.tables->num_outcomes(), 0.0);
    if (view.outlook.empty()) {
      view.tables->predictive(*view.belief, i, p);
      return;
    }
    part.resize(p.size());
    for (const models::Belief* belief : view.outlook) {
      view.tables->predictive(*belief, i, part);
      numerics::add_scaled(p.data(), 1 / static_cast<double>(view.outlook.size()), part.data(), p.size());
    }
  }

  const StimulusSet& set_;
  Executor& executor_;
  std::size_t num_models_;
};

}  // namespace

std::unique_ptr<PoolScorer> make_candidates_scorer(const StimulusSet& set, const CandidatesView& prior, Executor& executor) {
  return std::make_unique<CandidatesScorer>(set, prior, executor);
}

}  // namespace hartline::design
