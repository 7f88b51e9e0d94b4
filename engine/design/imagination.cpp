#include "design/imagination.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/discrete_scorer.hpp"
#include "design/futures.hpp"
#include "design/scratch_slots.hpp"
#include "models/text_likelihood.hpp"

namespace hartline::design {

namespace {

using models::Belief;
using models::Capability;
using models::Datum;
using models::DiscreteView;
using models::SampleView;

constexpr double negligible = 1e-6;      // probability of an outcome that is passed over
constexpr std::size_t num_drawn = 4096;  // responses that a predictive distribution is known by

/// ---- grids with tables ----

struct TablesState final : Imagination::State {
  std::vector<std::unique_ptr<Belief>> beliefs;
  std::size_t num = 0;
  std::unique_ptr<PoolScorer::State> scorer;
  std::vector<double> probability;

  /// Room for one branch more, a copy of `from`.
  Belief& add(const Belief& from) {
    if (num == beliefs.size())
      beliefs.push_back(from.fork());
    else
      beliefs[num]->replace_by(from);
    return *beliefs[num++];
  }
};

class TablesImagination final : public Imagination {
 public:
  TablesImagination(const DesignSpec& spec, const StimulusSet& set, const DiscreteView& prior, std::span<const std::string> names,
                    Executor& executor)
      : tables_(*prior.tables), scorer_(make_discrete_scorer(spec, set, prior, names, executor)) {}

  std::unique_ptr<State> make_state() const override {
    auto out = std::make_unique<TablesState>();
    out->scorer = scorer_->make_state();
    out->probability.resize(tables_.num_outcomes());
    return out;
  }

  std::size_t begin(State& any, const Capability& belief) const override {
    auto& s = static_cast<TablesState&>(any);
    const auto& view = std::get<DiscreteView>(belief);
    s.num = 0;
    if (view.outlook.empty()) s.add(*view.belief);
    for (const Belief* future : view.outlook) s.add(*future);
    return s.num;
  }

  void cut(State& any, std::size_t num) const override { static_cast<TablesState&>(any).num = num; }

  void answer(State& any, std::size_t from, std::size_t member, std::vector<double>& probability) const override {
    auto& s = static_cast<TablesState&>(any);
    tables_.predictive(*s.beliefs[from], member, s.probability);
    const std::size_t first = probability.size();
    double total = 0;
    for (std::size_t y = 0; y < s.probability.size(); ++y) {
      if (!(s.probability[y] > negligible)) continue;
      Belief& branch = s.add(*s.beliefs[from]);
      tables_.condition(branch, member, y);
      total += probability.emplace_back(s.probability[y]);
    }
    for (std::size_t k = first; k < probability.size(); ++k) probability[k] /= total;
  }

  void answer_once(State& any, std::size_t branch, std::size_t member, Stream& stream) const override {
    auto& s = static_cast<TablesState&>(any);
    tables_.predictive(*s.beliefs[branch], member, s.probability);
    double u = stream.uniform();
    std::size_t y = 0;
    while (y + 1 < s.probability.size() && u >= s.probability[y]) u -= s.probability[y++];
    while (y > 0 && !(s.probability[y] > 0)) --y;
    tables_.condition(*s.beliefs[branch], member, y);
  }

  void score(State& any, std::size_t member, std::span<const std::size_t> branches, std::span<double> utility) const override {
    auto& s = static_cast<TablesState&>(any);
    for (std::size_t k = 0; k < branches.size(); ++k)
      scorer_->score(*s.scorer, DiscreteView{{}, &tables_, s.beliefs[branches[k]].get()}, {&member, 1}, {&utility[k], 1}, {});
  }

  bool add_by_sample(State&, std::size_t, std::size_t, double, std::vector<double>&) const override { return false; }

 private:
  const models::OutcomeTables& tables_;
  std::unique_ptr<PoolScorer> scorer_;
};

/// ---- beliefs by samples ----

struct SamplesState final : Imagination::State {
  explicit SamplesState(int num_threads) : slots(num_threads) {}
  SampleObjective::Prepared all, dream, first;  // `first`: samples that are enough to compare members by, before any answer
  std::vector<std::vector<double>> branches;    // weights of the dream's samples
  std::size_t num = 0, num_roots = 0;
  ScratchSlots<SampleObjective::Scratch> slots;
  std::vector<double> arguments, log_likelihood, drawn, values, weight, by_weight;
  Futures::Nodes futures;
  std::vector<Datum> responses;

  std::vector<double>& add() {
    if (num == branches.size()) branches.emplace_back();
    return branches[num++];
  }
};

class SamplesImagination final : public Imagination {
 public:
  SamplesImagination(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set, const SampleView& prior,
                     Executor& executor)
      : objective_(objective),
        set_(set),
        likelihood_(*prior.likelihood),
        num_futures_(static_cast<std::size_t>(spec.lookahead.num_futures)),
        num_samples_(static_cast<std::size_t>(spec.lookahead.num_samples)),
        num_threads_(executor.num_threads()) {
    if (likelihood_.has_states())
      throw SpecError({"design.lookahead.depth", "1 for a text with states", fmt::format("{}", spec.lookahead.depth), ""});
    if (Futures::has_rules(likelihood_.text().laws)) futures_.emplace(likelihood_.text().laws[0]);
    for (const models::TextResponse& response : likelihood_.text().responses) num_joint_ *= response.num_choices;
    if (num_joint_ > SampleInformation::max_joint) num_joint_ = 0;
  }

  std::unique_ptr<State> make_state() const override { return std::make_unique<SamplesState>(num_threads_); }

  std::size_t begin(State& any, const Capability& belief) const override {
    auto& s = static_cast<SamplesState&>(any);
    objective_.prepare(belief, s.all);
    objective_.thin(s.all, num_samples_, s.dream);
    objective_.thin(s.all, objective_.num_enough(), s.first);
    s.num = s.num_roots = s.dream.weights.size();
    if (s.branches.size() < s.num) s.branches.resize(s.num);
    std::copy(s.dream.weights.begin(), s.dream.weights.end(), s.branches.begin());
    return s.num;
  }

  void cut(State& any, std::size_t num) const override { static_cast<SamplesState&>(any).num = num; }

  void answer(State& any, std::size_t from, std::size_t member, std::vector<double>& probability) const override {
    auto& s = static_cast<SamplesState&>(any);
    if (futures_) return imagine(s, from, member, probability);
    if (num_joint_ > 0) return enumerate(s, from, member, probability);
    set_arguments(s, member);
    const bool alone = likelihood_.num_responses() == 1;
    const std::size_t num = alone ? num_drawn : num_futures_, num_responses = likelihood_.num_responses();
    s.drawn.resize(num * num_responses);
    // one response, or one of each kind, of samples that stand for equal shares; the same random numbers for every member
    const std::vector<double>& w = s.branches[from];
    double below = 0;
    for (std::size_t n = 0, m = 0; n < s.dream.num && m < num; ++n) {
      below += w[n] * static_cast<double>(num);
      for (; m < num && (static_cast<double>(m) + 0.5 < below || n + 1 == s.dream.num); ++m) {
        Stream stream(0, Purpose::imagine, m, num);
        draw(s, n, stream, &s.drawn[m * num_responses]);
      }
    }
    const std::size_t first = probability.size();
    double total = 0;
    const auto take = [&](std::span<const double> values, double share) {
      s.responses.assign(values.begin(), values.end());
      const double p = condition(s, from, member, s.add());
      if (p > -INFINITY)
        total += probability.emplace_back(share);
      else
        --s.num;
    };
    if (!alone) {
      for (std::size_t m = 0; m < num; ++m) take({&s.drawn[m * num_responses], num_responses}, 1);
    } else {
      std::sort(s.drawn.begin(), s.drawn.end());
      s.values = s.drawn;
      s.values.erase(std::unique(s.values.begin(), s.values.end()), s.values.end());
      if (s.values.size() <= num_futures_) {  // few counts, each by how often it came
        for (const double& value : s.values) {
          const auto [low, high] = std::equal_range(s.drawn.begin(), s.drawn.end(), value);
          take({&value, 1}, static_cast<double>(high - low));
        }
      } else {  // the middle of each of equal shares
        for (std::size_t f = 0; f < num_futures_; ++f) take({&s.drawn[(2 * f + 1) * num / (2 * num_futures_)], 1}, 1);
      }
    }
    for (std::size_t k = first; k < probability.size(); ++k) probability[k] /= total;
  }

  void answer_once(State& any, std::size_t branch, std::size_t member, Stream& stream) const override {
    auto& s = static_cast<SamplesState&>(any);
    set_arguments(s, member);
    const std::vector<double>& w = s.branches[branch];
    double u = stream.uniform();
    std::size_t n = 0;
    while (n + 1 < s.dream.num && u >= w[n]) u -= w[n++];
    s.drawn.resize(likelihood_.num_responses());
    draw(s, n, stream, s.drawn.data());
    s.responses.assign(s.drawn.begin(), s.drawn.end());
    std::swap(s.weight, s.branches[branch]);
    condition_on(s, s.weight, member, s.branches[branch]);
  }

  void score(State& any, std::size_t member, std::span<const std::size_t> branches, std::span<double> utility) const override {
    auto& s = static_cast<SamplesState&>(any);
    s.slots.with([&](SampleObjective::Scratch& scratch) {
      if (branches.back() < s.num_roots)
        objective_.each(s.first, s.first.weights, branches, stimulus(member), scratch, utility);
      else
        objective_.each(s.dream, s.branches, branches, stimulus(member), scratch, utility);
    });
  }

  bool add_by_sample(State& any, std::size_t member, std::size_t branch, double share, std::vector<double>& out) const override {
    auto& s = static_cast<SamplesState&>(any);
    if (!objective_.has_gradient() || s.dream.num == s.all.num) return false;
    s.by_weight.resize(s.dream.num);
    s.slots.with([&](SampleObjective::Scratch& scratch) {
      objective_.under(s.dream, s.branches[branch], stimulus(member), scratch, {}, s.by_weight);
    });
    out.resize(s.dream.num);
    for (std::size_t n = 0; n < s.dream.num; ++n) out[n] += share * s.branches[branch][n] * s.by_weight[n];
    return true;
  }

 private:
  models::ParameterSets sets(const SamplesState& s) const { return {s.dream.parts[0].parameters.data(), s.dream.num, s.dream.num}; }
  std::span<const double> stimulus(std::size_t member) const { return {&set_.pool[member * set_.dim], set_.dim}; }

  void set_arguments(SamplesState& s, std::size_t member) const {
    s.arguments.resize(likelihood_.num_arguments() * s.dream.num);
    likelihood_.arguments(stimulus(member), sets(s), s.arguments.data(), s.dream.num);
  }

  /// Responses of sample n.
  void draw(const SamplesState& s, std::size_t n, Stream& stream, double* out) const {
    double a[64];
    const std::size_t num = likelihood_.num_arguments();
    for (std::size_t k = 0; k < num; ++k) a[k] = s.arguments[k * s.dream.num + n];
    for (const models::LawPart& part : likelihood_.text().laws)
      *out++ = models::draw_response(*part.law, part.of({a, num}), stream);
  }

  /// Weights after s.responses; returns their log probability.
  double condition_on(SamplesState& s, const std::vector<double>& before, std::size_t member, std::vector<double>& after) const {
    s.log_likelihood.resize(s.dream.num);
    likelihood_(stimulus(member), s.responses, sets(s), s.log_likelihood.data());
    const double top = *std::max_element(s.log_likelihood.begin(), s.log_likelihood.end());
    if (!(top > -INFINITY)) return top;
    after.resize(s.dream.num);
    double total = 0;
    for (std::size_t n = 0; n < s.dream.num; ++n) total += after[n] = before[n] * std::exp(s.log_likelihood[n] - top);
    for (double& w : after) w /= total;
    return top + std::log(total);
  }
  double condition(SamplesState& s, std::size_t from, std::size_t member, std::vector<double>& after) const {
    return condition_on(s, s.branches[from], member, after);
  }

  void imagine(SamplesState& s, std::size_t from, std::size_t member, std::vector<double>& probability) const {
    const std::size_t first = probability.size();
    set_arguments(s, member);
    futures_->place(s.branches[from], s.arguments.data(), s.dream.num, num_futures_, s.futures);
    double total = 0;
    for (std::size_t f = 0; f < s.futures.value.size(); ++f) {
      std::vector<double>& after = s.add();
      after.resize(s.dream.num);
      futures_->likelihood(s.futures.value[f], s.arguments.data(), s.dream.num, after);
      double p = 0;
      for (std::size_t n = 0; n < s.dream.num; ++n) p += after[n] *= s.branches[from][n];
      if (s.futures.weight[f] * p > negligible) {
        for (double& w : after) w /= p;
        total += probability.emplace_back(s.futures.weight[f] * p);
      } else {
        --s.num;
      }
    }
    for (std::size_t k = first; k < probability.size(); ++k) probability[k] /= total;
  }

  void enumerate(SamplesState& s, std::size_t from, std::size_t member, std::vector<double>& probability) const {
    const std::size_t first = probability.size();
    double total = 0;
    for (std::size_t joint = 0; joint < num_joint_; ++joint) {
      s.responses.clear();
      std::size_t rest = joint;
      for (const models::TextResponse& response : likelihood_.text().responses) {
        s.responses.emplace_back(static_cast<double>(rest % response.num_choices));
        rest /= response.num_choices;
      }
      const double p = std::exp(condition(s, from, member, s.add()));
      if (p > negligible)
        total += probability.emplace_back(p);
      else
        --s.num;
    }
    for (std::size_t k = first; k < probability.size(); ++k) probability[k] /= total;
  }

  SampleObjective objective_;
  std::optional<Futures> futures_;  // where there are rules
  const StimulusSet& set_;
  const models::TextLikelihood& likelihood_;
  std::size_t num_futures_, num_samples_, num_joint_ = 1;  // combinations of choices; 0: not enumerated
  int num_threads_;
};

}  // namespace

std::unique_ptr<Imagination> imagine_tables(const DesignSpec& spec, const StimulusSet& set, const DiscreteView& prior,
                                            std::span<const std::string> parameter_names, Executor& executor) {
  return std::make_unique<TablesImagination>(spec, set, prior, parameter_names, executor);
}

std::unique_ptr<Imagination> imagine_samples(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set,
                                             const SampleView& prior, Executor& executor) {
  return std::make_unique<SamplesImagination>(spec, objective, set, prior, executor);
}

}  // namespace hartline::design
