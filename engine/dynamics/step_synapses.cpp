#include <fmt/format.h>

#include <algorithm>
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
      case Role::quantity: {
        const double* values = step.doubles + s.quantities[given.at].offset;
        if (!given.varies) {
          in.data = values;
          break;
        }
        for (std::size_t l = 0; l < n; ++l) row[l] = values[lanes[l]];
        break;
      }
      case Role::pre: {
        const double* values = step.row(from.quantities[given.at], from.stride, later);
        if (!given.varies) {
          in.data = values;
          break;
        }
        for (std::size_t l = 0; l < n; ++l) row[l] = values[source[lanes[l]]];
        break;
      }
      case Role::post: {
        const double* values = step.row(to.quantities[given.at], to.stride, later);
        if (!given.varies) {
          in.data = values;
          break;
        }
        for (std::size_t l = 0; l < n; ++l) row[l] = values[target[lanes[l]]];
        break;
      }
      default:
        for (std::size_t l = 0; l < n; ++l) row[l] = random_at(step, given, k, s.owner, lanes[l]);
    }
  }
  own.outputs.clear();
  for (std::size_t k = 0; k < formula.num_outputs; ++k) own.outputs.push_back(own.result(k, block_size));
  formula.kernel->run(own.inputs, n, own.outputs);
}

double* post_row(const Step& step, const Synapses& s, std::size_t quantity, bool later) {
  const Group& to = step.program.groups()[s.to.group];
  return step.row(to.quantities[quantity], to.stride, later);
}

void clear_sum(const Step& step, const Synapses& s, const Sum& sum) {
  double* row = post_row(step, s, sum.quantity, false);
  std::fill(row + s.to.first, row + s.to.first + s.to.num, 0.0);
}

/// Over the targets in their order, and over the synapses of each in theirs.
void add_sum(const Step& step, const Synapses& s, const Sum& sum) {
  double* const row = post_row(step, s, sum.quantity, false);
  const std::span<const std::uint32_t> all = s.by_target;
  const std::size_t num_blocks = (all.size() + block_size - 1) / block_size;
  const auto one = [&](std::size_t b) {
    const auto some = all.subspan(b * block_size, std::min(block_size, all.size() - b * block_size));
    evaluate(step, s, sum.formula, sum.needs, some, false);
    const double* value = scratch().results[0].data();
    for (std::size_t k = 0; k < some.size(); ++k) row[s.wiring.target[some[k]]] += value[k];
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
  const int parts = step.executor.num_threads() > 1 && num_events > worth_threads ? step.executor.num_threads() : 1;
  const std::int32_t* target = s.wiring.target.data();
  auto one = [&](int part) {
    const auto border = [&](int k) {
      return static_cast<std::int32_t>(s.to.first + s.to.num * static_cast<std::size_t>(k) / static_cast<std::size_t>(parts));
    };
    for (const Effect::Addition& a : pathway.effect.additions) {
      double* const row = post_row(step, s, a.quantity, true);
      const bool own = a.value == Effect::Addition::Value::own;
      const double* values = a.at == ~std::size_t{0} ? nullptr : step.doubles + s.quantities[a.at].offset;
      const double same = values && !own ? a.factor * values[0] : a.factor;
      for (const std::int32_t i : spikes) {
        if (!in(s.from, i)) continue;
        auto [begin, end] = synapses_of(pathway.route, static_cast<std::size_t>(i) - s.from.first, lag);
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
    step.executor.for_each_block(parts, one);
}

void flush(const Step& step, const Synapses& s, const Effect& effect) {
  Scratch& own = scratch();
  if (own.lanes.empty()) return;
  evaluate(step, s, effect.formula, effect.needs, own.lanes, true);
  const std::size_t n = own.lanes.size();
  std::size_t output = 0;
  for (const Effect::Addition& a : effect.additions) {
    double* row = post_row(step, s, a.quantity, true);
    const double* value = own.results[output++].data();
    for (std::size_t l = 0; l < n; ++l) row[s.wiring.target[own.lanes[l]]] += value[l];
  }
  for (const std::size_t quantity : effect.targets) {
    double* row = step.doubles + s.quantities[quantity].offset;
    const double* value = own.results[output++].data();
    for (std::size_t l = 0; l < n; ++l) row[own.lanes[l]] = value[l];
  }
  for (const std::size_t quantity : effect.assigned) {
    double* row = post_row(step, s, quantity, true);
    const double* value = own.results[output++].data();
    for (std::size_t l = 0; l < n; ++l) row[s.wiring.target[own.lanes[l]]] = value[l];
  }
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

/// Variables of synapses that go on in every step.
void go_on(const Step& step, const Synapses& s) {
  if (!s.every_step) return;
  const std::size_t num_blocks = (s.num + block_size - 1) / block_size;
  step.executor.for_each_block(static_cast<int>(num_blocks), [&](int b) {
    const FlushSmall flush;
    Scratch& own = scratch();
    const std::size_t first = static_cast<std::size_t>(b) * block_size, n = std::min(block_size, s.num - first);
    own.lanes.resize(n);
    for (std::size_t k = 0; k < n; ++k) own.lanes[k] = static_cast<std::uint32_t>(first + k);
    evaluate(step, s, s.update, s.update_needs, own.lanes, true);
    for (std::size_t k = 0; k < s.num_variables; ++k) {
      if (!std::all_of(own.results[k].begin(), own.results[k].begin() + static_cast<std::ptrdiff_t>(n),
                       [](double x) { return std::isfinite(x); }))
        throw RunError({fmt::format("synapses.{}.{}", s.name, s.quantities[k].name), "finite", "another number",
                        fmt::format("At {} ms.", number_text(step.time * 1e3))});
      std::copy_n(own.results[k].data(), n, step.doubles + s.quantities[k].offset + first);
    }
    own.lanes.clear();
  });
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
      std::copy_n(own.results[k].data(), q.is_own ? n : 1, step.doubles + q.offset + (q.is_own ? first : 0));
    }
  }
  own.lanes.clear();
}

}  // namespace hartline::dynamics
