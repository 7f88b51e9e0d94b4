#include "dynamics/step.hpp"

#include <fmt/format.h>

#include <immintrin.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "dynamics/noise.hpp"
#include "numerics/lanes.hpp"

namespace hartline::dynamics {

namespace {

using numerics::Lanes;
using numerics::num_lanes;

constexpr std::size_t worth_threads = 1 << 14;  // additions of a step that are shared among threads

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

std::uint32_t noise_source(std::size_t owner, std::uint32_t symbol) { return static_cast<std::uint32_t>(owner << 12) + symbol; }

void fill_random(const Given& given, std::uint32_t symbol, std::size_t owner, const Moment& m, std::size_t first, std::size_t num,
                 double* out) {
  const NoiseSource source{m.seed, noise_source(owner, symbol)};
  if (given.role == Role::random) return fill_uniform(source, m.step, first, num, out);
  fill_normal(source, m.step, first, num, out);
  if (given.role != Role::noise) return;
  const double scale = 1 / std::sqrt(m.dt);
  for (std::size_t k = 0; k < num; ++k) out[k] *= scale;
}

/// The number of one lane.
double random_at(const Given& given, std::uint32_t symbol, std::size_t owner, const Moment& m, std::size_t lane) {
  double rows[noise_block];
  const std::size_t first = lane / noise_block * noise_block;
  fill_random(given, symbol, owner, m, first, noise_block, rows);
  return rows[lane - first];
}

bool is_random(const Given& given) { return given.role == Role::random || given.role == Role::randn || given.role == Role::noise; }

}  // namespace

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

const double* row_at(const TimedArray& array, const Moment& m) {
  const std::size_t num_rows = array.values.size() / array.num;
  auto row = static_cast<std::size_t>(std::floor(m.time / array.dt_s + 1e-6));
  if (row >= num_rows) {
    if (array.after == TimedArray::After::error)
      throw RunError({"arrays." + array.name, fmt::format("given until {} ms", number_text(m.time * 1e3)),
                      fmt::format("{} rows of {} ms", num_rows, number_text(array.dt_s * 1e3)),
                      "after = \"hold\" or \"repeat\" goes on."});
    row = array.after == TimedArray::After::hold ? num_rows - 1 : row % num_rows;
  }
  return array.values.data() + row * array.num;
}

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

/// One step at work.
class Stepper {
 public:
  Stepper(const Program& program, State& state, Executor& executor)
      : p_(program), state_(state), executor_(executor), doubles_(state.doubles()), integers_(state.integers()) {
    m_.step = state.step();
    m_.dt = program.dt_s();
    m_.time = program.time_s(state);
    m_.seed = program.seed_;
  }

  void run() {
    for (const Synapses& s : p_.synapses_)
      for (const Sum& sum : s.sums) clear_sum(s, sum);
    for (const Synapses& s : p_.synapses_)
      for (const Sum& sum : s.sums) add_sum(s, sum);
    for (const Group& group : p_.groups_) update(group);
    for (const Synapses& s : p_.synapses_) {
      deliver(s);
      if (s.every_step) go_on(s);
    }
    for (const Group& group : p_.groups_)
      for (const Event& event : group.events)
        if (event.change.kernel) change(group, event);
    state_.next_step();
  }

  /// Start values of synapses, all lanes.
  void start(const Synapses& s) {
    Scratch& own = scratch();
    for (std::size_t first = 0; first < s.num; first += block_size) {
      const std::size_t n = std::min(block_size, s.num - first);
      own.lanes.resize(n);
      for (std::size_t k = 0; k < n; ++k) own.lanes[k] = static_cast<std::uint32_t>(first + k);
      evaluate(s, s.start, s.start_needs, own.lanes, false);
      for (std::size_t k = 0; k < s.quantities.size(); ++k) {
        const Quantity& q = s.quantities[k];
        std::copy_n(own.results[k].data(), q.is_own ? n : 1, doubles_ + q.offset + (q.is_own ? first : 0));
      }
    }
  }

 private:
  // --- neurons
  // ---------------------------------------------------------------------------------------------------------------------

  /// Inputs of the neurons first … first + num - 1, before the step.
  void bind(const Group& group, const Formula& formula, std::size_t first, std::size_t num, Scratch& own) {
    own.inputs.resize(group.given.size());
    std::size_t next_random = 0;
    for (std::uint32_t s = 0; s < group.given.size(); ++s) {
      const Given& given = group.given[s];
      equations::Input& in = own.inputs[s];
      in = {nullptr, 1, given.varies ? std::size_t{1} : std::size_t{0}};
      switch (given.role) {
        case Role::time:
          in.data = &m_.time;
          break;
        case Role::dt:
          in.data = &m_.dt;
          break;
        case Role::index:
          in.data = group.numbers.data() + first;
          break;
        case Role::count:
          in.data = &group.count;
          break;
        case Role::quantity: {
          const Quantity& q = group.quantities[given.at];
          in.data = row_of(doubles_, q, group.stride, m_.step, false) + (q.is_own ? first : 0);
          break;
        }
        case Role::array: {
          const TimedArray& array = group.arrays[given.at];
          if (!group.uses_array[given.at]) break;
          in.data = row_at(array, m_) + (array.num == 1 ? 0 : first);
          break;
        }
        case Role::propagator:
          in.data = doubles_ + group.propagator_at[0];
          break;
        default:
          if (next_random < formula.random.size() && formula.random[next_random] == s) {
            ++next_random;
            double* row = own.row(s, block_size);
            fill_random(given, s, group.index, m_, first, num, row);
            in.data = row;
          }
      }
    }
  }

  void update(const Group& group) {
    const std::size_t num_blocks = (group.num + block_size - 1) / block_size;
    std::atomic<bool> finite{true};
    thread_local std::vector<std::int32_t> counts;
    counts.assign(num_blocks * group.events.size(), 0);
    std::int32_t* const all_counts = counts.data();
    for (std::size_t k = 0; k < group.arrays.size(); ++k)  // throws before anything is done
      if (group.uses_array[k]) row_at(group.arrays[k], m_);
    auto one = [&](int b) {
      const FlushSmall flush;
      const std::size_t first = static_cast<std::size_t>(b) * block_size, n = std::min(block_size, group.num - first);
      Scratch& own = scratch();
      bind(group, group.update, first, n, own);
      own.outputs.clear();
      for (std::size_t k = 0; k < group.num_variables; ++k)
        own.outputs.push_back(row_of(doubles_, group.quantities[k], group.stride, m_.step, true) + first);
      for (std::size_t k = group.num_variables; k < group.update.num_outputs; ++k)
        own.outputs.push_back(own.result(k - group.num_variables, block_size));
      group.update.kernel->run(own.inputs, n, own.outputs);
      bool all_finite = true;
      for (std::size_t k = 0; k < group.events.size(); ++k)
        all_counts[static_cast<std::size_t>(b) * group.events.size() + k] = static_cast<std::int32_t>(
            places_of(own.results[k].data(), n, first, ids(group, group.events[k], m_.step) + first, all_finite));
      std::int32_t none = 0;
      if (group.events.empty()) places_of(own.results[0].data(), n, first, &none, all_finite);
      if (!all_finite) finite = false;
    };
    if (num_blocks == 1)
      one(0);
    else
      executor_.for_each_block(static_cast<int>(num_blocks), one);
    if (!finite) refuse_infinite(group);
    if (group.given_spikes) all_counts[0] = given_spikes(group);
    for (std::size_t k = 0; k < group.events.size(); ++k) {
      const Event& event = group.events[k];
      std::int32_t* const list = ids(group, event, m_.step);
      std::size_t total = 0;
      for (std::size_t b = 0; b < num_blocks; ++b) {
        const auto n = static_cast<std::size_t>(all_counts[b * group.events.size() + k]);
        if (total != b * block_size) std::copy_n(list + b * block_size, n, list + total);
        total += n;
      }
      integers_[event.counts + slot(event, m_.step)] = static_cast<std::int32_t>(total);
    }
  }

  /// Spikes of this step that are given, into the place of the first block's.
  std::int32_t given_spikes(const Group& group) {
    std::int32_t* const list = ids(group, group.events[0], m_.step);
    std::int32_t n = 0;
    for (auto at = std::lower_bound(group.trains.begin(), group.trains.end(), std::pair{m_.step, std::int32_t{0}});
         at != group.trains.end() && at->first == m_.step; ++at)
      list[n++] = at->second;
    return n;
  }

  [[noreturn]] void refuse_infinite(const Group& group) {
    for (std::size_t i = 0; i < group.num; ++i)
      for (std::size_t k = 0; k < group.num_checked; ++k) {
        const Quantity& q = group.quantities[k];
        const double x = row_of(doubles_, q, group.stride, m_.step, true)[i];
        if (std::isfinite(x)) continue;
        const double before = row_of(doubles_, q, group.stride, m_.step, false)[i] / q.unit.scale;
        throw RunError({fmt::format("neurons.{}.{}[{}]", group.name, q.name, i), "finite", number_text(x),
                        fmt::format("At {} ms, step {}; before that step it was {} {}. The state is as it was then. A smaller "
                                    "dt_ms or another method may help.",
                                    number_text((m_.time + m_.dt) * 1e3), m_.step, number_text(before), q.unit_text)});
      }
    throw InternalError("a number that is not finite was not found again");
  }

  static std::size_t slot(const Event& event, std::int64_t step) { return static_cast<std::size_t>(step) % event.num_slots; }
  std::int32_t* ids(const Group& group, const Event& event, std::int64_t step) {
    return integers_ + event.ids + slot(event, step) * group.num;
  }
  std::span<const std::int32_t> happened(const Group& group, const Event& event, std::int64_t step) {
    if (step < 0) return {};
    return {ids(group, event, step), static_cast<std::size_t>(integers_[event.counts + slot(event, step)])};
  }

  /// What an event changes, of the neurons that it happened to.
  void change(const Group& group, const Event& event) {
    const auto all = happened(group, event, m_.step);
    Scratch& own = scratch();
    for (std::size_t first = 0; first < all.size(); first += block_size) {
      const auto some = all.subspan(first, std::min(block_size, all.size() - first));
      bind(group, event.change, 0, 0, own);
      for (std::uint32_t s = 0; s < group.given.size(); ++s) {
        const Given& given = group.given[s];
        if (!given.varies) continue;
        double* row = own.row(s, block_size);
        if (is_random(given)) {
          if (std::find(event.change.random.begin(), event.change.random.end(), s) == event.change.random.end()) continue;
          for (std::size_t k = 0; k < some.size(); ++k)
            row[k] = random_at(given, s, group.index, m_, static_cast<std::size_t>(some[k]));
        } else {
          const double* from = given.role == Role::quantity
                                   ? row_of(doubles_, group.quantities[given.at], group.stride, m_.step, true)
                                   : own.inputs[s].data;
          for (std::size_t k = 0; k < some.size(); ++k) row[k] = from[some[k]];
        }
        own.inputs[s].data = row;
      }
      own.outputs.clear();
      for (std::size_t k = 0; k < event.targets.size(); ++k) own.outputs.push_back(own.result(k, block_size));
      event.change.kernel->run(own.inputs, some.size(), own.outputs);
      for (std::size_t k = 0; k < event.targets.size(); ++k) {
        double* row = row_of(doubles_, group.quantities[event.targets[k]], group.stride, m_.step, true);
        for (std::size_t n = 0; n < some.size(); ++n) row[some[n]] = own.results[k][n];
      }
    }
  }

  // --- synapses
  // --------------------------------------------------------------------------------------------------------------------

  /// Works out a formula for synapses; the results are in scratch. `later`: neurons are as after the step.
  void evaluate(const Synapses& s, const Formula& formula, std::span<const std::uint32_t> needs,
                std::span<const std::uint32_t> lanes, bool later) {
    Scratch& own = scratch();
    const Group &from = p_.groups_[s.from.group], &to = p_.groups_[s.to.group];
    const std::size_t n = lanes.size();
    own.inputs.assign(s.given.size(), {});
    for (std::uint32_t k = 0; k < s.given.size(); ++k) own.inputs[k].lane_stride = s.given[k].varies ? 1 : 0;
    const std::int32_t *source = s.wiring.source.data(), *target = s.wiring.target.data();
    for (const std::uint32_t k : needs) {
      const Given& given = s.given[k];
      equations::Input& in = own.inputs[k];
      double* row = own.row(k, block_size);
      in.data = row;
      switch (given.role) {
        case Role::time:
          in.data = &m_.time;
          break;
        case Role::dt:
          in.data = &m_.dt;
          break;
        case Role::index:
          for (std::size_t l = 0; l < n; ++l) row[l] = source[lanes[l]];
          break;
        case Role::target:
          for (std::size_t l = 0; l < n; ++l) row[l] = target[lanes[l]];
          break;
        case Role::count:
          in.data = &from.count;
          break;
        case Role::count_to:
          in.data = &to.count;
          break;
        case Role::quantity: {
          const double* values = doubles_ + s.quantities[given.at].offset;
          if (!given.varies) {
            in.data = values;
            break;
          }
          for (std::size_t l = 0; l < n; ++l) row[l] = values[lanes[l]];
          break;
        }
        case Role::pre: {
          const double* values = row_of(doubles_, from.quantities[given.at], from.stride, m_.step, later);
          if (!given.varies) {
            in.data = values;
            break;
          }
          for (std::size_t l = 0; l < n; ++l) row[l] = values[source[lanes[l]]];
          break;
        }
        case Role::post: {
          const double* values = row_of(doubles_, to.quantities[given.at], to.stride, m_.step, later);
          if (!given.varies) {
            in.data = values;
            break;
          }
          for (std::size_t l = 0; l < n; ++l) row[l] = values[target[lanes[l]]];
          break;
        }
        default:
          for (std::size_t l = 0; l < n; ++l) row[l] = random_at(given, k, s.owner, m_, lanes[l]);
      }
    }
    own.outputs.clear();
    for (std::size_t k = 0; k < formula.num_outputs; ++k) own.outputs.push_back(own.result(k, block_size));
    formula.kernel->run(own.inputs, n, own.outputs);
  }

  double* post_row(const Synapses& s, std::size_t quantity, bool later) {
    const Group& to = p_.groups_[s.to.group];
    return row_of(doubles_, to.quantities[quantity], to.stride, m_.step, later);
  }

  void clear_sum(const Synapses& s, const Sum& sum) {
    double* row = post_row(s, sum.quantity, false);
    std::fill(row + s.to.first, row + s.to.first + s.to.num, 0.0);
  }

  /// Over the targets in their order, and over the synapses of each in theirs.
  void add_sum(const Synapses& s, const Sum& sum) {
    double* const row = post_row(s, sum.quantity, false);
    const std::span<const std::uint32_t> all = s.wiring.post;
    const std::size_t num_blocks = (all.size() + block_size - 1) / block_size;
    const auto one = [&](std::size_t b) {
      const auto some = all.subspan(b * block_size, std::min(block_size, all.size() - b * block_size));
      evaluate(s, sum.formula, sum.needs, some, false);
      const double* value = scratch().results[0].data();
      for (std::size_t k = 0; k < some.size(); ++k) row[s.wiring.target[some[k]]] += value[k];
    };
    for (std::size_t b = 0; b < num_blocks; ++b) one(b);
  }

  void deliver(const Synapses& s) {
    if (s.on_pre.any()) {
      const Group& from = p_.groups_[s.from.group];
      for (std::size_t l = 0; l < s.wiring.lags.size(); ++l) {
        const auto spikes = happened(from, from.events[0], m_.step - s.wiring.lags[l]);
        if (spikes.empty()) continue;
        if (s.on_pre.plain)
          add_plain(s, spikes, l);
        else
          apply(
              s, s.on_pre, spikes,
              [&](std::size_t neuron, auto&& each) {
                const auto [begin, end] = synapses_of(s, neuron, l);
                for (std::uint32_t k = begin; k < end; ++k) each(k);
              },
              s.from);
      }
    }
    if (s.on_post.any()) {
      const Group& to = p_.groups_[s.to.group];
      const auto spikes = happened(to, to.events[0], m_.step - s.on_post.lag);
      if (spikes.empty()) return;
      apply(
          s, s.on_post, spikes,
          [&](std::size_t neuron, auto&& each) {
            for (std::uint32_t k = s.wiring.post_begin[neuron]; k < s.wiring.post_begin[neuron + 1]; ++k) each(s.wiring.post[k]);
          },
          s.to);
    }
  }

  std::pair<std::uint32_t, std::uint32_t> synapses_of(const Synapses& s, std::size_t source, std::size_t lag) const {
    const std::uint32_t* at = s.wiring.begin.data() + source * s.wiring.lags.size() + lag;
    return {at[0], at[1]};
  }

  static bool in(const Part& part, std::int32_t neuron) {
    return static_cast<std::size_t>(neuron) >= part.first && static_cast<std::size_t>(neuron) < part.first + part.num;
  }

  /// Additions of rows and numbers. Threads share the targets, so that each target's sum has its order.
  void add_plain(const Synapses& s, std::span<const std::int32_t> spikes, std::size_t lag) {
    std::size_t num_events = 0;
    for (const std::int32_t i : spikes)
      if (in(s.from, i)) {
        const auto [begin, end] = synapses_of(s, static_cast<std::size_t>(i) - s.from.first, lag);
        num_events += end - begin;
      }
    const int parts = executor_.num_threads() > 1 && num_events > worth_threads ? executor_.num_threads() : 1;
    const std::int32_t* target = s.wiring.target.data();
    auto one = [&](int part) {
      const auto border = [&](int k) {
        return static_cast<std::int32_t>(s.to.first + s.to.num * static_cast<std::size_t>(k) / static_cast<std::size_t>(parts));
      };
      for (const Effect::Addition& a : s.on_pre.additions) {
        double* const row = post_row(s, a.quantity, true);
        const bool own = a.value == Effect::Addition::Value::own;
        const double* values = a.at == ~std::size_t{0} ? nullptr : doubles_ + s.quantities[a.at].offset;
        const double same = values && !own ? a.factor * values[0] : a.factor;
        for (const std::int32_t i : spikes) {
          if (!in(s.from, i)) continue;
          auto [begin, end] = synapses_of(s, static_cast<std::size_t>(i) - s.from.first, lag);
          if (parts > 1) {
            begin = static_cast<std::uint32_t>(std::lower_bound(target + begin, target + end, border(part)) - target);
            end = static_cast<std::uint32_t>(std::lower_bound(target + begin, target + end, border(part + 1)) - target);
          }
          if (!own)
            for (std::uint32_t k = begin; k < end; ++k) row[target[k]] += same;
          else if (a.factor == 1)
            for (std::uint32_t k = begin; k < end; ++k) row[target[k]] += values[k];
          else
            for (std::uint32_t k = begin; k < end; ++k) row[target[k]] += a.factor * values[k];
        }
      }
    };
    if (parts == 1)
      one(0);
    else
      executor_.for_each_block(parts, one);
  }

  /// Any changes. Where rows of targets are set, each spike is done before the next.
  template <class EachSynapse>
  void apply(const Synapses& s, const Effect& effect, std::span<const std::int32_t> spikes, EachSynapse&& each_synapse,
             const Part& part) {
    std::vector<std::uint32_t>& lanes = scratch().lanes;
    lanes.clear();
    for (const std::int32_t neuron : spikes) {
      if (!in(part, neuron)) continue;
      each_synapse(static_cast<std::size_t>(neuron) - part.first, [&](std::uint32_t k) {
        lanes.push_back(k);
        if (lanes.size() == block_size) flush(s, effect);
      });
      if (!effect.assigned.empty()) flush(s, effect);
    }
    flush(s, effect);
  }

  void flush(const Synapses& s, const Effect& effect) {
    Scratch& own = scratch();
    if (own.lanes.empty()) return;
    evaluate(s, effect.formula, effect.needs, own.lanes, true);
    const std::size_t n = own.lanes.size();
    std::size_t output = 0;
    for (const Effect::Addition& a : effect.additions) {
      double* row = post_row(s, a.quantity, true);
      const double* value = own.results[output++].data();
      for (std::size_t l = 0; l < n; ++l) row[s.wiring.target[own.lanes[l]]] += value[l];
    }
    for (const std::size_t quantity : effect.targets) {
      double* row = doubles_ + s.quantities[quantity].offset;
      const double* value = own.results[output++].data();
      for (std::size_t l = 0; l < n; ++l) row[own.lanes[l]] = value[l];
    }
    for (const std::size_t quantity : effect.assigned) {
      double* row = post_row(s, quantity, true);
      const double* value = own.results[output++].data();
      for (std::size_t l = 0; l < n; ++l) row[s.wiring.target[own.lanes[l]]] = value[l];
    }
    own.lanes.clear();
  }

  /// Variables of synapses that go on in every step.
  void go_on(const Synapses& s) {
    const std::size_t num_blocks = (s.num + block_size - 1) / block_size;
    executor_.for_each_block(static_cast<int>(num_blocks), [&](int b) {
      const FlushSmall flush;
      Scratch& own = scratch();
      const std::size_t first = static_cast<std::size_t>(b) * block_size, n = std::min(block_size, s.num - first);
      own.lanes.resize(n);
      for (std::size_t k = 0; k < n; ++k) own.lanes[k] = static_cast<std::uint32_t>(first + k);
      evaluate(s, s.update, s.update_needs, own.lanes, true);
      for (std::size_t k = 0; k < s.num_variables; ++k) {
        if (!std::all_of(own.results[k].begin(), own.results[k].begin() + static_cast<std::ptrdiff_t>(n),
                         [](double x) { return std::isfinite(x); }))
          throw RunError({fmt::format("synapses.{}.{}", s.name, s.quantities[k].name), "finite", "another number",
                          fmt::format("At {} ms.", number_text(m_.time * 1e3))});
        std::copy_n(own.results[k].data(), n, doubles_ + s.quantities[k].offset + first);
      }
      own.lanes.clear();
    });
  }

  const Program& p_;
  State& state_;
  Executor& executor_;
  double* doubles_;
  std::int32_t* integers_;
  Moment m_;
};

void Program::step(State& state, Executor& executor) const {
  if (state.program() != id_) throw InternalError("a state was stepped by a program that did not make it");
  const FlushSmall flush;
  Stepper(*this, state, executor).run();
}

void start_synapses(const Program& program, State& state, Executor& executor, const Synapses& synapses) {
  Stepper(program, state, executor).start(synapses);
}

}  // namespace hartline::dynamics
