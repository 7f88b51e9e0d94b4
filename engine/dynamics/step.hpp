// Step: how kernels find their numbers in a state, for neurons and for synapses.
#pragma once

#include <immintrin.h>

#include <span>
#include <vector>

#include "dynamics/program.hpp"

namespace hartline::dynamics {

constexpr std::size_t block_size = 1024;  // lanes that are worked out together

/// Scratch of one thread. Grows to what its largest kernel needs and stays.
struct Scratch {
  std::vector<equations::Input> inputs;
  std::vector<double*> outputs;
  std::vector<std::vector<double>> rows;  // by symbol: gathered or random numbers
  std::vector<std::vector<double>> results;
  std::vector<std::uint32_t> lanes;  // synapses in hand
  std::vector<std::int32_t> counts;
  std::vector<std::vector<double>> within;  // of each neuron of a block: variables, the length to go on with, what has elapsed
  std::vector<equations::Input> whole;      // inputs of the block
  std::vector<std::uint32_t> active;        // neurons that are not at the end of the step

  double* row(std::size_t symbol, std::size_t num);
  double* result(std::size_t k, std::size_t num);
};
Scratch& scratch();

/// Numbers too small for a double's full precision count as 0 while it lives: conductances that decay for long would slow all down.
class FlushSmall {
 public:
  FlushSmall() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushSmall() { _mm_setcsr(before_); }
  FlushSmall(const FlushSmall&) = delete;
  FlushSmall& operator=(const FlushSmall&) = delete;

 private:
  unsigned before_;
};

/// A step of a state.
struct Step {
  Step(const Program& program, State& state, Executor& executor, std::uint64_t seed);

  const Program& program;
  Executor& executor;
  double* doubles;
  std::int32_t* integers;
  double time = 0, dt = 0;  // at its start, s
  std::int64_t number = 0;
  std::int64_t drawn = 0;  // step that random numbers are drawn for: its own, or -1 at the start
  std::uint64_t seed = 0;

  /// Numbers of a quantity; of a variable with two rows those before the step, or those after.
  Row row(const Quantity& q, bool later) const {
    return Row(doubles, q.is_narrow).from(q.offset + (((number & 1) != 0) != later ? q.apart : 0));
  }
  std::int32_t* ids(const Group& group, const Event& event, std::int64_t step) const {
    return integers + event.ids + slot(event, step) * group.num;
  }
  std::int32_t& count(const Event& event, std::int64_t step) const { return integers[event.counts + slot(event, step)]; }
  std::span<const std::int32_t> happened(const Group& group, const Event& event, std::int64_t step) const {
    if (step < 0) return {};
    return {ids(group, event, step), static_cast<std::size_t>(count(event, step))};
  }

 private:
  static std::size_t slot(const Event& event, std::int64_t step) { return static_cast<std::size_t>(step) % event.num_slots; }
};

/// Row of an array over time. Throws: RunError where it is over.
const double* row_at(const TimedArray& array, double time);

bool is_random(const Given& given);
/// Random numbers first … first + num - 1 that a symbol stands for, of a group or of synapses.
void fill_random(const Step& step, const Given& given, std::uint32_t symbol, std::size_t owner, std::size_t first, std::size_t num,
                 double* out);
/// One of them.
double random_at(const Step& step, const Given& given, std::uint32_t symbol, std::size_t owner, std::size_t lane);

/// Ends the run with the first number after the step that is not finite. `owner`: of the variables; `hint`: what may help.
[[noreturn]] void refuse_infinite(const Step& step, const std::string& owner, std::span<const Quantity> variables, std::size_t num,
                                  const char* hint);

/// Variables of a group go on; events are looked for. Throws: RunError where one is no longer finite; where they have two rows
/// nothing has been changed then that the state before the step needs.
void update(const Step& step, const Group& group);
/// Inputs of a formula, of the neurons first … first + num - 1 before the step, or after it. `owner`: of its random rows.
void set_inputs(const Step& step, const Group& group, std::size_t owner, const std::vector<Given>& all, const Formula& formula,
                std::size_t first, std::size_t num, bool later, Scratch& own);
/// Steps of any length within the step, of the neurons first … first + num - 1; Scratch::within holds where they lead. A variable
/// is NaN there where no length met the tolerance.
void step_within(const Step& step, const Group& group, std::size_t first, std::size_t num);
/// Spikes from outside the network, after the update.
void add_input(const Step& step, const Group& group, const Inputs& inputs);
/// What events change, of the neurons that they happened to.
void change(const Step& step, const Group& group);

/// Sums over synapses begin at 0, of all synapses, then are added up.
void clear_sums(const Step& step, const Synapses& synapses);
void add_sums(const Step& step, const Synapses& synapses);
/// Variables of synapses that go on in every step. Throws as update does.
void go_on(const Step& step, const Synapses& synapses);
/// Hands on the spikes that arrive now.
void deliver(const Step& step, const Synapses& synapses);
/// Start values of synapses.
void start(const Step& step, const Synapses& synapses);

}  // namespace hartline::dynamics
