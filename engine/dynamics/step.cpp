#include "dynamics/step.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "dynamics/noise.hpp"

namespace hartline::dynamics {

namespace {

std::uint32_t noise_source(std::size_t owner, std::uint32_t symbol) { return static_cast<std::uint32_t>(owner << 12) + symbol; }

}  // namespace

void fill_random(const Step& step, const Given& given, std::uint32_t symbol, std::size_t owner, std::size_t first, std::size_t num,
                 double* out) {
  const NoiseSource source{step.seed, noise_source(owner, symbol)};
  if (given.role == Role::random) return fill_uniform(source, step.drawn, first, num, out);
  fill_normal(source, step.drawn, first, num, out);
  if (given.role != Role::noise) return;
  const double scale = 1 / std::sqrt(step.dt);
  for (std::size_t k = 0; k < num; ++k) out[k] *= scale;
}

/// The number of one lane.
double random_at(const Step& step, const Given& given, std::uint32_t symbol, std::size_t owner, std::size_t lane) {
  double rows[noise_block];
  const std::size_t first = lane / noise_block * noise_block;
  fill_random(step, given, symbol, owner, first, noise_block, rows);
  return rows[lane - first];
}

bool is_random(const Given& given) { return given.role == Role::random || given.role == Role::randn || given.role == Role::noise; }

double* Scratch::row(std::size_t symbol, std::size_t num) {
  if (rows.size() <= symbol) rows.resize(symbol + 1);
  if (rows[symbol].size() < num) rows[symbol].resize(num);
  return rows[symbol].data();
}
double* Scratch::result(std::size_t k, std::size_t num) {
  if (results.size() <= k) results.resize(k + 1);
  if (results[k].size() < num) results[k].resize(num);
  return results[k].data();
}
Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

const double* row_at(const TimedArray& array, double time) {
  const std::size_t num_rows = array.values.size() / array.num;
  auto row = static_cast<std::size_t>(std::floor(time / array.dt_s + 1e-6));
  if (row >= num_rows) {
    if (array.after == TimedArray::After::error)
      throw RunError({"arrays." + array.name, fmt::format("given until {} ms", number_text(time * 1e3)),
                      fmt::format("{} rows of {} ms", num_rows, number_text(array.dt_s * 1e3)),
                      "after = \"hold\" or \"repeat\" goes on."});
    row = array.after == TimedArray::After::hold ? num_rows - 1 : row % num_rows;
  }
  return array.values.data() + row * array.num;
}

void refuse_infinite(const Step& step, const std::string& owner, std::span<const Quantity> variables, std::size_t num,
                     const char* hint) {
  for (std::size_t i = 0; i < num; ++i)
    for (const Quantity& q : variables) {
      const double x = step.row(q, true)[i], before = step.row(q, false)[i] / q.unit.scale;
      if (std::isfinite(x)) continue;
      const std::string then =
          q.apart == 0
              ? "The equations are linear: synapses, inputs, resets or parameters brought it there, or a rate above 0."
              : fmt::format("Before that step it was {} {}. The state is as it was then.", number_text(before), q.unit_text);
      throw RunError({fmt::format("{}.{}[{}]", owner, q.name, i), "finite", number_text(x),
                      fmt::format("At {} ms, step {}. {}{}", number_text((step.time + step.dt) * 1e3), step.number, then, hint)});
    }
  throw InternalError("a number that is not finite was not found again");
}

Step::Step(const Program& p, State& state, Executor& e, std::uint64_t s)
    : program(p),
      executor(e),
      doubles(state.doubles()),
      integers(state.integers()),
      time(p.time_s(state)),
      dt(p.dt_s()),
      number(state.step()),
      drawn(state.step()),
      seed(s) {}

void Program::step(State& state, Executor& executor) const {
  if (state.program() != id_) throw InternalError("a state was stepped by a program that did not make it");
  const FlushSmall flush;
  const Step step(*this, state, executor, seed_);
  for (const Group& group : groups_)
    for (std::size_t k = 0; k < group.arrays.size(); ++k)
      if (group.uses_array[k]) row_at(group.arrays[k], step.time);  // throws where it is over, before anything is done
  for (const Synapses& synapses : synapses_) clear_sums(step, synapses);
  for (const Synapses& synapses : synapses_) add_sums(step, synapses);
  for (const Group& group : groups_)
    if (!group.in_place) update(step, group);
  for (const Synapses& synapses : synapses_) go_on(step, synapses);
  // from here on also those rows change of which there is one
  for (const Group& group : groups_)
    if (group.in_place) update(step, group);
  for (const Inputs& inputs : inputs_) add_input(step, groups_[inputs.group], inputs);
  for (const Synapses& synapses : synapses_) deliver(step, synapses);
  for (const Group& group : groups_) change(step, group);
  state.next_step();
}

}  // namespace hartline::dynamics
