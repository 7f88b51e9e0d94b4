#include "design/sample_pool.hpp"

#include "base/threads.hpp"
#include "design/scratch_slots.hpp"
#include "design/stimulus_set.hpp"

namespace hartline::design {

namespace {

using models::Capability;

struct SampleState final : PoolScorer::State {
  explicit SampleState(int num_threads) : slots(num_threads) {}
  SampleObjective::Prepared all, prepared;
  ScratchSlots<SampleObjective::Scratch> slots;
};

class SampleScorer final : public PoolScorer {
 public:
  SampleScorer(const SampleObjective& objective, const StimulusSet& set, Executor& executor)
      : objective_(objective), set_(set), executor_(executor) {}

  std::unique_ptr<State> make_state() const override { return std::make_unique<SampleState>(executor_.num_threads()); }
  std::size_t block_size() const override { return 1; }  // the dearest laws take milliseconds
  void follow(State&, const Capability&, std::span<const std::uint8_t>) const override {}
  void prepare(State& state, const Capability& belief, std::span<const std::uint8_t>) const override {
    auto& of_samples = static_cast<SampleState&>(state);
    objective_.prepare(belief, of_samples.all);
    objective_.thin(of_samples.all, objective_.num_enough(), of_samples.prepared);
  }

  void score(State& any_state, const Capability&, std::span<const std::size_t> members, std::span<double> utility,
             std::span<double> expected_count) const override {
    auto& state = static_cast<SampleState&>(any_state);
    state.slots.with([&](SampleObjective::Scratch& scratch) {
      for (std::size_t k = 0; k < members.size(); ++k)
        utility[k] = objective_(state.prepared, {&set_.pool[members[k] * set_.dim], set_.dim}, scratch, {},
                                expected_count.empty() ? nullptr : &expected_count[k]);
    });
  }

  std::pair<double, double> error(State& any_state, std::size_t member) const override {
    auto& state = static_cast<SampleState&>(any_state);
    if (!objective_.has_error()) return {0, objective_.limit(state.prepared)};
    std::pair<double, double> out;
    state.slots.with([&](SampleObjective::Scratch& scratch) {
      objective_(state.prepared, {&set_.pool[member * set_.dim], set_.dim}, scratch, {}, nullptr);
      out = {scratch.error, scratch.limit};
    });
    return out;
  }

 private:
  SampleObjective objective_;
  const StimulusSet& set_;
  Executor& executor_;
};

}  // namespace

std::unique_ptr<PoolScorer> make_sample_scorer(const SampleObjective& objective, const StimulusSet& set, Executor& executor) {
  return std::make_unique<SampleScorer>(objective, set, executor);
}

}  // namespace hartline::design
