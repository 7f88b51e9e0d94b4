#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "dynamics/step.hpp"

namespace hartline::dynamics {

namespace {

constexpr std::size_t worth_threads = 1 << 14;  // additions of a step that are shared among threads

/// Works out a formula for synapses; the results are in scratch. `later`: neurons are as after the step.
void evaluate(const Step& step, const Synapses& s, const Formula& formula, std::span<const std::uint32_t> needs,
              std::span<const std::uint32_t> lanes, bool later) {
  Scratch& own = scratch();
  const Group &from = step.program.groups()[s.from.group], &to = step.program.groups()[s.to.group];
  const std::size_t n = lanes.size();
  own.inputs.assign(s.given.size(), {});
  for (std::uint32_t k = 0; k < s.given.size(); ++k) own.inputs[k].lane_stride = s.given[k].varies ? 1 : 0;
  const std::int32_t *source = s.wiring.source.data(), *target = s.wiring.target.data();
  for (const std::uint32_t k : needs) {
    const Given& given = s.given[k];
    equations::Input& in = own.inputs[k];
    double* row = own.row(k, block_size);
    in.data = row;
    const auto gather = [&](const Row& all, bool varies, auto&& number) {
      if (varies)
        all.with([&](const auto* values) {
          for (std::size_t l = 0; l < n; ++l) row[l] = values[number(l)];
        });
      else
        in.data = all.doubles();
    };
    switch (given.role) {
      case Role::time:
        in.data = &step.time;
        break;
      case Role::dt:
        in.data = &step.dt;
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
      case Role::quantity:
        gather(step.row(s.quantities[given.at], later), given.varies, [&](std::size_t l) { return lanes[l]; });
        break;
      case Role::pre:
        gather(step.row(from.quantities[given.at], later), given.varies, [&](std::size_t l) { return source[lanes[l]]; });
        break;
      case Role::post:
        gather(step.row(to.quantities[given.at], later), given.varies, [&](std::size_t l) { return target[lanes[l]]; });
        break;
      default:
        for (std::size_t l = 0; l < n; ++l) row[l] = random_at(step, given, k, s.owner, lanes[l]);
    }
  }
  own.outputs.clear();
  for (std::size_t k = 0; k < formula.num_outputs; ++k) own.outputs.push_back(own.result(k, block_size));
  formula.kernel->run(own.inputs, n, own.outputs);
}

Row post_row(const Step& step, const Synapses& s, std::size_t quantity, bool later) {
  const Group& to = step.program.groups()[s.to.group];
  return step.row(to.quantities[quantity], later);
}

/// Adds values, or sets them, at number(0), number(1), …
template <class Number>
void add(const Row& row, std::size_t num, const double* values, Number&& number) {
  row.with([&](auto* x) {
    using Real = std::remove_reference_t<decltype(*x)>;
    for (std::size_t k = 0; k < num; ++k) x[number(k)] = static_cast<Real>(x[number(k)] + values[k]);
  });
}
template <class Number>
void set(const Row& row, std::size_t num, const double* values, Number&& number) {
  row.with([&](auto* x) {
    using Real = std::remove_reference_t<decltype(*x)>;
    for (std::size_t k = 0; k < num; ++k) x[number(k)] = static_cast<Real>(values[k]);
  });
}

void clear_sum(const Step& step, const Synapses& s, const Sum& sum) {
  post_row(step, s, sum.quantity, false).from(s.to.first).with([&](auto* row) { std::fill_n(row, s.to.num, 0); });
}

/// Over the targets in their order, and over the synapses of each in theirs.
void add_sum(const Step& step, const Synapses& s, const Sum& sum) {
  const Row row = post_row(step, s, sum.quantity, false);
  const std::span<const std::uint32_t> all = s.by_target;
  const std::size_t num_blocks = (all.size() + block_size - 1) / block_size;
  const auto one = [&](std::size_t b) {
    const auto some = all.subspan(b * block_size, std::min(block_size, all.size() - b * block_size));
    evaluate(step, s, sum.formula, sum.needs, some, false);
    const double* value = scratch().results[0].data();
    add(row, some.size(), value, [&](std::size_t k) { return s.wiring.target[some[k]]; });
  };
  for (std::size_t b = 0; b < num_blocks; ++b) one(b);
}

std::pair<std::uint32_t, std::uint32_t> synapses_of(const Route& route, std::size_t neuron, std::size_t lag) {
  const std::uint32_t* at = route.begin.data() + neuron * route.lags.size() + lag;
  return {at[0], at[1]};
}

bool in(const Part& part, std::int32_t neuron) {
  return static_cast<std::size_t>(neuron) >= part.first && static_cast<std::size_t>(neuron) < part.first + part.num;
}

/// Additions of rows and numbers. Threads share the targets, so that each target's sum has its order.
void add_plain(const Step& step, const Synapses& s, const Pathway& pathway, std::span<const std::int32_t> spikes, std::size_t lag) {
  std::size_t num_events = 0;
  for (const std::int32_t i : spikes)
    if (in(s.from, i)) {
      const auto [begin, end] = synapses_of(pathway.route, static_cast<std::size_t>(i) - s.from.first, lag);
      num_events += end - begin;
    }
  const bool shared = pathway.route.targets_rise && num_events > worth_threads;
  const int parts = shared ? step.executor.num_threads() : 1;
  const std::int32_t* target = s.wiring.target.data();
  auto one = [&](int part) {
    const auto border = [&](int k) {
      return static_cast<std::int32_t>(s.to.first + s.to.num * static_cast<std::size_t>(k) / static_cast<std::size_t>(parts));
    };
    for (const Effect::Addition& a : pathway.effect.additions) {
      const bool own = a.value == Effect::Addition::Value::own, is_number = a.at == ~std::size_t{0};
      const double same = is_number ? a.factor : own ? 0 : a.factor * step.row(s.quantities[a.at], true)[0];
      const auto each = [&](auto&& add_to) {
        for (const std::int32_t i : spikes) {
          if (!in(s.from, i)) continue;
          auto [begin, end] = synapses_of(pathway.route, static_cast<std::size_t>(i) - s.from.first, lag);
          if (parts > 1) {
            begin = static_cast<std::uint32_t>(std::lower_bound(target + begin, target + end, border(part)) - target);
            end = static_cast<std::uint32_t>(std::lower_bound(target + begin, target + end, border(part + 1)) - target);
          }
          for (std::uint32_t k = begin; k < end; ++k) add_to(k);
        }
      };
      post_row(step, s, a.quantity, true).with([&](auto* row) {
        using Real = std::remove_reference_t<decltype(*row)>;
        const auto plus = [&](std::uint32_t k, double value) { row[target[k]] = static_cast<Real>(row[target[k]] + value); };
        if (!own) return each([&](std::uint32_t k) { plus(k, same); });
        step.row(s.quantities[a.at], true).with([&](const auto* values) {
          if (a.factor == 1)
            each([&](std::uint32_t k) { plus(k, values[k]); });
          else
            each([&](std::uint32_t k) { plus(k, a.factor * values[k]); });
        });
      });
    }
  };
  if (parts == 1)
    one(0);
  else
    step.executor.for_each_block(parts, one);
}

void flush(const Step& step, const Synapses& s, const Effect& effect) {
  Scratch& own = scratch();
  if (own.lanes.empty()) return;
  evaluate(step, s, effect.formula, effect.needs, own.lanes, true);
  const std::size_t n = own.lanes.size();
  const auto target = [&](std::size_t l) { return s.wiring.target[own.lanes[l]]; };
  const auto itself = [&](std::size_t l) { return own.lanes[l]; };
  std::size_t output = 0;
  for (const Effect::Addition& a : effect.additions)
    add(post_row(step, s, a.quantity, true), n, own.results[output++].data(), target);
  for (const std::size_t quantity : effect.targets)
    set(step.row(s.quantities[quantity], true), n, own.results[output++].data(), itself);
  for (const std::size_t quantity : effect.assigned)
    set(post_row(step, s, quantity, true), n, own.results[output++].data(), target);
  own.lanes.clear();
}

/// Any changes. Where rows of targets are set, each spike is done before the next.
void apply(const Step& step, const Synapses& s, const Pathway& pathway, std::span<const std::int32_t> spikes, std::size_t lag) {
  const Part& part = pathway.of_target ? s.to : s.from;
  std::vector<std::uint32_t>& lanes = scratch().lanes;
  lanes.clear();
  for (const std::int32_t neuron : spikes) {
    if (!in(part, neuron)) continue;
    const auto [begin, end] = synapses_of(pathway.route, static_cast<std::size_t>(neuron) - part.first, lag);
    for (std::uint32_t k = begin; k < end; ++k) {
      lanes.push_back(pathway.route.synapses.empty() ? k : pathway.route.synapses[k]);
      if (lanes.size() == block_size) flush(step, s, pathway.effect);
    }
    if (!pathway.effect.assigned.empty()) flush(step, s, pathway.effect);
  }
  flush(step, s, pathway.effect);
}

}  // namespace

void clear_sums(const Step& step, const Synapses& s) {
  for (const Sum& sum : s.sums) clear_sum(step, s, sum);
}

void add_sums(const Step& step, const Synapses& s) {
  for (const Sum& sum : s.sums) add_sum(step, s, sum);
}

void deliver(const Step& step, const Synapses& s) {
  for (const Pathway& pathway : s.pathways) {
    const Group& group = step.program.groups()[pathway.of_target ? s.to.group : s.from.group];
    for (std::size_t l = 0; l < pathway.route.lags.size(); ++l) {
      const auto spikes = step.happened(group, group.events[pathway.event], step.number - pathway.route.lags[l]);
      if (spikes.empty()) continue;
      if (pathway.effect.plain && !pathway.of_target && pathway.route.synapses.empty())
        add_plain(step, s, pathway, spikes, l);
      else
        apply(step, s, pathway, spikes, l);
    }
  }
}

void go_on(const Step& step, const Synapses& s) {
  if (!s.every_step) return;
  const std::size_t num_blocks = (s.num + block_size - 1) / block_size;
  std::atomic<bool> finite{true};
  step.executor.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const FlushSmall flush;
    Scratch& own = scratch();
    const std::size_t first = static_cast<std::size_t>(b) * block_size, n = std::min(block_size, s.num - first);
    own.lanes.resize(n);
    for (std::size_t k = 0; k < n; ++k) own.lanes[k] = static_cast<std::uint32_t>(first + k);
    evaluate(step, s, s.update, s.update_needs, own.lanes, false);
    for (std::size_t k = 0; k < s.num_variables; ++k) {
      const double* const value = own.results[k].data();
      if (!std::all_of(value, value + n, [](double x) { return std::isfinite(x); })) finite = false;
      step.row(s.quantities[k], true).from(first).write(n, value);
    }
    own.lanes.clear();
  });
  if (!finite)
    refuse_infinite(step, "synapses." + s.name, {s.quantities.data(), s.num_variables}, s.num,
                    " A smaller dt_ms or another method may help.");
}

void start(const Step& step, const Synapses& s) {
  Scratch& own = scratch();
  for (std::size_t first = 0; first < s.num; first += block_size) {
    const std::size_t n = std::min(block_size, s.num - first);
    own.lanes.resize(n);
    for (std::size_t k = 0; k < n; ++k) own.lanes[k] = static_cast<std::uint32_t>(first + k);
    evaluate(step, s, s.start, s.start_needs, own.lanes, false);
    for (std::size_t k = 0; k < s.quantities.size(); ++k) {
      const Quantity& q = s.quantities[k];
      step.row(q, false).from(q.is_own ? first : 0).write(q.is_own ? n : 1, own.results[k].data());
    }
  }
  own.lanes.clear();
}

}  // namespace hartline::dynamics
