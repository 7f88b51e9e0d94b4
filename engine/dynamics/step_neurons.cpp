#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "dynamics/noise.hpp"
#include "dynamics/step.hpp"
#include "numerics/lanes.hpp"

namespace hartline::dynamics {

namespace {

using numerics::Lanes;
using numerics::num_lanes;

constexpr std::size_t worth_threads = 300'000;  // operators of a step, some 20 us, that threads share
constexpr double largest_float = std::numeric_limits<float>::max();
constexpr std::size_t input_owner = 0x50000;  // of random rows of the first input, beyond those of groups and synapses

/// Writes the places where x is 1; returns how many. Says where x, else 0, is NaN.
HARTLINE_CLONES std::size_t places_of(const double* x, std::size_t num, std::size_t first, std::int32_t* out, bool& finite) {
  constexpr std::size_t at_once = 4 * num_lanes;
  std::size_t n = 0;
  std::size_t i = 0;
  const auto look = [&](std::size_t end) {
    for (; i < end; ++i) {
      if (x[i] == 1) out[n++] = static_cast<std::int32_t>(first + i);
      if (std::isnan(x[i])) finite = false;
    }
  };
  while (i + at_once <= num) {
    const Lanes any = (numerics::load(x + i) + numerics::load(x + i + num_lanes)) +
                      (numerics::load(x + i + 2 * num_lanes) + numerics::load(x + i + 3 * num_lanes));
    if (numerics::sum(any) == 0)
      i += at_once;
    else
      look(i + at_once);
  }
  look(num);
  return n;
}

/// Spikes of this step that are given, into the place of the first block's.
std::int32_t given_spikes(const Step& step, const Group& group) {
  std::int32_t* const list = step.ids(group, group.events[0], step.number);
  std::int32_t n = 0;
  for (auto at = std::lower_bound(group.trains.begin(), group.trains.end(), std::pair{step.number, std::int32_t{0}});
       at != group.trains.end() && at->first == step.number; ++at)
    list[n++] = at->second;
  return n;
}

/// What an event changes, of the neurons that it happened to.
void change(const Step& step, const Group& group, const Event& event) {
  const auto all = step.happened(group, event, step.number);
  Scratch& own = scratch();
  for (std::size_t first = 0; first < all.size(); first += block_size) {
    const auto some = all.subspan(first, std::min(block_size, all.size() - first));
    set_inputs(step, group, group.index, group.given, event.change, 0, 0, true, own);
    for (std::uint32_t s = 0; s < group.given.size(); ++s) {
      const Given& given = group.given[s];
      if (!given.varies || given.role >= Role::substep) continue;
      double* row = own.row(s, block_size);
      if (is_random(given)) {
        if (std::find(event.change.random.begin(), event.change.random.end(), s) == event.change.random.end()) continue;
        for (std::size_t k = 0; k < some.size(); ++k)
          row[k] = random_at(step, given, s, group.index, static_cast<std::size_t>(some[k]));
      } else {
        const auto gather = [&](const auto* from) {
          for (std::size_t k = 0; k < some.size(); ++k) row[k] = from[some[k]];
        };
        if (given.role == Role::quantity)
          step.row(group.quantities[given.at], true).with(gather);
        else if (own.inputs[s].data)  // an array that the group does not use has none
          gather(own.inputs[s].data);
      }
      own.inputs[s].data = row;
    }
    own.outputs.clear();
    for (std::size_t k = 0; k < event.targets.size(); ++k) own.outputs.push_back(own.result(k, block_size));
    event.change.kernel->run(own.inputs, some.size(), own.outputs);
    for (std::size_t k = 0; k < event.targets.size(); ++k) {
      const Row row = step.row(group.quantities[event.targets[k]], true);
      for (std::size_t n = 0; n < some.size(); ++n) row.set(static_cast<std::size_t>(some[n]), own.results[k][n]);
    }
  }
}

/// A Poisson count: the smallest whose cumulative probability is above a uniform number; large means have a stream of their own.
double poisson(double mean, double uniform, const Step& step, const Inputs& inputs, std::size_t lane) {
  if (!(mean >= 0)) throw RunError({"inputs." + inputs.name + ".rate", ">= 0 Hz", number_text(mean / step.dt) + " Hz", ""});
  if (mean > 16)
    return Stream(step.seed, Purpose::input, static_cast<std::uint64_t>(step.number), inputs.index << 32 | lane).poisson(mean);
  double p = std::exp(-mean), below = p, count = 0;
  while (uniform >= below && p > 0) {
    p *= mean / ++count;
    below += p;
  }
  return count;
}

}  // namespace

void set_inputs(const Step& step, const Group& group, std::size_t owner, const std::vector<Given>& all, const Formula& formula,
                std::size_t first, std::size_t num, bool later, Scratch& own) {
  own.inputs.resize(all.size());
  std::size_t next_random = 0;
  for (std::uint32_t s = 0; s < all.size(); ++s) {
    const Given& given = all[s];
    equations::Input& in = own.inputs[s];
    in = {nullptr, 1, given.varies ? std::size_t{1} : std::size_t{0}};
    switch (given.role) {
      case Role::time:
        in.data = &step.time;
        break;
      case Role::dt:
        in.data = &step.dt;
        break;
      case Role::index:
        in.data = group.numbers.data() + first;
        break;
      case Role::count:
        in.data = &group.count;
        break;
      case Role::quantity: {
        const Quantity& q = group.quantities[given.at];
        const Row row = step.row(q, later).from(q.is_own ? first : 0);
        in.data = row.doubles();
        if (in.data) break;
        row.read(num, own.row(s, block_size));
        in.data = own.row(s, block_size);
        break;
      }
      case Role::array: {
        const TimedArray& array = group.arrays[given.at];
        if (!group.uses_array[given.at]) break;
        in.data = row_at(array, step.time) + (array.num == 1 ? 0 : first);
        break;
      }
      case Role::substep:
      case Role::elapsed:
        break;  // step_within sets them
      case Role::integrated:
        if (given.at < own.within.size()) in.data = own.within[given.at].data();
        break;
      case Role::propagator:
        in.data = step.doubles + group.propagator_at[0];
        break;
      default:
        if (next_random < formula.random.size() && formula.random[next_random] == s) {
          ++next_random;
          double* row = own.row(s, block_size);
          fill_random(step, given, s, owner, first, num, row);
          in.data = row;
        }
    }
  }
}

void update(const Step& step, const Group& group) {
  // floats are widened into scratch, which should stay in the first cache; else the kernel's preparations should be few
  const bool is_narrow =
      std::any_of(group.quantities.begin(), group.quantities.end(), [](const Quantity& q) { return q.is_narrow; });
  const std::size_t block = is_narrow ? block_size / 4 : block_size, num_blocks = (group.num + block - 1) / block;
  std::atomic<bool> finite{true};
  scratch().counts.assign(num_blocks * group.events.size(), 0);
  std::int32_t* const all_counts = scratch().counts.data();
  auto one = [&](int b) {
    const FlushSmall flush;
    const std::size_t first = static_cast<std::size_t>(b) * block, n = std::min(block, group.num - first);
    Scratch& own = scratch();
    if (group.trial.kernel) step_within(step, group, first, n);
    set_inputs(step, group, group.index, group.given, group.update, first, n, false, own);
    own.outputs.clear();
    const std::size_t num_tests = group.update.num_outputs - group.num_variables;
    for (std::size_t k = 0; k < group.num_variables; ++k) {
      double* const row = step.row(group.quantities[k], true).from(first).doubles();
      own.outputs.push_back(row ? row : own.result(num_tests + k, block_size));
    }
    for (std::size_t k = 0; k < num_tests; ++k) own.outputs.push_back(own.result(k, block_size));
    group.update.kernel->run(own.inputs, n, own.outputs);
    bool all_finite = true;
    for (std::size_t k = 0; k < group.num_variables; ++k)
      if (group.quantities[k].is_narrow) {
        const double* const value = own.results[num_tests + k].data();
        if (std::any_of(value, value + n, [](double x) { return std::abs(x) > largest_float; })) all_finite = false;
        step.row(group.quantities[k], true).from(first).write(n, value);
      }
    for (std::size_t k = 0; k < group.events.size(); ++k)
      all_counts[static_cast<std::size_t>(b) * group.events.size() + k] = static_cast<std::int32_t>(
          places_of(own.results[k].data(), n, first, step.ids(group, group.events[k], step.number) + first, all_finite));
    std::int32_t none = 0;
    if (group.events.empty()) places_of(own.results[0].data(), n, first, &none, all_finite);
    if (!all_finite) finite = false;
  };
  if (group.num * group.update.work > worth_threads)
    step.executor.for_each_block(static_cast<int>(num_blocks), one);
  else
    for (std::size_t b = 0; b < num_blocks; ++b) one(static_cast<int>(b));
  if (!finite)
    refuse_infinite(step, "neurons." + group.name, {group.quantities.data(), group.num_checked}, group.num,
                    group.in_place       ? ""
                    : group.trial.kernel ? " No length of steps met the tolerance; the solution may be infinite."
                                         : " A smaller dt_ms or another method may help.");
  if (group.given_spikes) all_counts[0] = given_spikes(step, group);
  for (std::size_t k = 0; k < group.events.size(); ++k) {
    const Event& event = group.events[k];
    std::int32_t* const list = step.ids(group, event, step.number);
    std::size_t total = 0;
    for (std::size_t b = 0; b < num_blocks; ++b) {
      const auto n = static_cast<std::size_t>(all_counts[b * group.events.size() + k]);
      if (total != b * block) std::copy_n(list + b * block, n, list + total);
      total += n;
    }
    step.count(event, step.number) = static_cast<std::int32_t>(total);
  }
}

void change(const Step& step, const Group& group) {
  for (const Event& event : group.events)
    if (event.change.kernel) change(step, group, event);
}

void add_input(const Step& step, const Group& group, const Inputs& inputs) {
  const Row row = step.row(group.quantities[inputs.quantity], true);
  double uniform[block_size];
  for (std::size_t first = 0; first < group.num; first += block_size) {
    Scratch& own = scratch();
    const std::size_t n = std::min(block_size, group.num - first);
    set_inputs(step, group, input_owner + inputs.index, inputs.given, inputs.formula, first, n, true, own);
    double* const outputs[] = {own.result(0, block_size), own.result(1, block_size)};
    inputs.formula.kernel->run(own.inputs, n, outputs);
    fill_uniform({step.seed, 0x40000000u + static_cast<std::uint32_t>(inputs.index)}, step.number, first, n, uniform);
    for (std::size_t k = 0; k < n; ++k)
      if (const double count = poisson(outputs[0][k], uniform[k], step, inputs, first + k); count > 0)
        row.set(first + k, row[first + k] + count * outputs[1][k]);
  }
}

}  // namespace hartline::dynamics
