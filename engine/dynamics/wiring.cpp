#include "dynamics/wiring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "dynamics/connect.hpp"
#include "dynamics/noise.hpp"

namespace hartline::dynamics {

namespace {

constexpr std::size_t block = 1024;  // pairs that are looked at together

std::size_t padded(std::size_t num) { return (num + noise_block - 1) / noise_block * noise_block; }

}  // namespace

Wirer::Wirer(Names& names, const Part& from, const Part& to, const std::vector<Group>& groups, const StartRows& rows,
             std::uint64_t seed, std::size_t index, double dt_s, const std::string& path)
    : names_(names), from_(from), to_(to), groups_(groups), rows_(rows), seed_(seed), index_(index), dt_s_(dt_s), path_(path) {}

/// Random rows of one network's wiring, apart from those of its steps.
std::uint32_t Wirer::source(std::uint32_t what) const {
  return 0x80000000u + ((static_cast<std::uint32_t>(index_) * 8 + what) << 16);
}

/// Numbers of one expression for pairs of neurons, as the groups start: out [num].
void Wirer::of_pairs(const Formula& formula, const std::int32_t* from, const std::int32_t* to, std::size_t first, std::size_t num,
                     std::uint32_t random_source, double* out) const {
  std::vector<std::vector<double>> columns(names_.given.size(), std::vector<double>(block + noise_block));
  std::vector<equations::Input> inputs(names_.graph.num_symbols());
  for (std::size_t at = 0; at < num; at += block) {
    const std::size_t n = std::min(block, num - at);
    for (std::uint32_t s = 0; s < names_.given.size(); ++s) {
      std::vector<double>& column = columns[s];
      const auto [role, which, does_vary] = names_.given[s];
      const bool varies = does_vary;
      const std::size_t count = varies ? n : 1;
      const auto gather = [&](const std::vector<double>& row, const std::int32_t* neuron) {
        for (std::size_t k = 0; k < count; ++k) column[k] = row[varies ? static_cast<std::size_t>(neuron[at + k]) : 0];
      };
      if (role == Role::index) std::copy_n(from + at, n, column.begin());
      if (role == Role::target) std::copy_n(to + at, n, column.begin());
      if (role == Role::count) column[0] = groups_[from_.group].count;
      if (role == Role::count_to) column[0] = groups_[to_.group].count;
      if (role == Role::dt) column[0] = dt_s_;
      if (role == Role::random) fill_uniform({seed_, random_source + s}, 0, first + at, block, column.data());
      if (role == Role::randn) fill_normal({seed_, random_source + s}, 0, first + at, block, column.data());
      if (role == Role::pre) gather(rows_[from_.group][which], from);
      if (role == Role::post) gather(rows_[to_.group][which], to);
      inputs[s] = {column.data(), 1, varies ? std::size_t{1} : std::size_t{0}};
    }
    double* const outputs[] = {out + at};
    formula.kernel->run(inputs, n, outputs);
  }
}

std::int32_t Wirer::rounded(double seconds, const std::string& key) const {
  const double steps = std::nearbyint(seconds / dt_s_);
  if (!(seconds >= 0 && steps <= 1e6))
    throw SpecError({path_ + "." + key, "0 ms or more, and at most 1e6 steps", number_text(seconds * 1e3) + " ms", ""});
  return static_cast<std::int32_t>(steps);
}

Wiring Wirer::draw(const ConnectSpec& spec, const Rules& rules) {
  Pairs pairs;
  pairs.num_sources = from_.num;
  pairs.num_targets = to_.num;
  pairs.same_group = from_.group == to_.group;
  pairs.shift = static_cast<std::int64_t>(from_.first) - static_cast<std::int64_t>(to_.first);
  std::vector<std::int32_t> from(to_.num), to(to_.num);
  for (std::size_t j = 0; j < to_.num; ++j) to[j] = static_cast<std::int32_t>(to_.first + j);
  // values of one source with every target
  const auto by_pair = [&](Id rule, std::uint32_t what) -> OfSource {
    if (rule == equations::no_id || names_.graph.is_constant(rule)) return {};
    const equations::Graph& g = names_.graph;
    const Id number = g.at(rule).is_boolean ? names_.graph.where(rule, names_.graph.constant(1), names_.graph.constant(0)) : rule;
    return [&, what, formula = make_formula(names_, std::array<Id, 1>{number})](std::size_t i, double* out) {
      std::fill(from.begin(), from.end(), static_cast<std::int32_t>(from_.first + i));
      of_pairs(formula, from.data(), to.data(), i * padded(to_.num), to_.num, source(what), out);
    };
  };
  if (rules.probability != equations::no_id && names_.graph.is_constant(rules.probability))
    pairs.probability = names_.graph.at(rules.probability).value;
  pairs.probabilities = by_pair(rules.probability, 0);
  pairs.condition = by_pair(rules.condition, 1);

  const auto found = draw_pairs(spec, pairs, seed_, index_, path_ + ".connect");
  Wiring out;
  for (const auto& [i, j] : found) {
    out.source.push_back(i + static_cast<std::int32_t>(from_.first));
    out.target.push_back(j + static_cast<std::int32_t>(to_.first));
  }
  return out;
}

std::vector<std::int32_t> Wirer::lags_of(const Wiring& wiring, Id delay, std::size_t number, const std::string& key) const {
  std::vector<std::int32_t> out(wiring.num(), 0);
  if (delay == equations::no_id) return out;
  const Formula formula = make_formula(names_, std::array<Id, 1>{delay});
  if (names_.is_shared(delay)) {
    const std::int32_t none = 0;
    double seconds = 0;
    of_pairs(formula, &none, &none, 0, 1, source(3), &seconds);
    std::fill(out.begin(), out.end(), rounded(seconds, key));
    return out;
  }
  std::vector<double> seconds(wiring.num());
  const std::uint32_t random_source = number == 0 ? source(2) : source(4) + (static_cast<std::uint32_t>(number) << 10);
  of_pairs(formula, wiring.source.data(), wiring.target.data(), 0, wiring.num(), random_source, seconds.data());
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = rounded(seconds[k], key);
  return out;
}

void Wirer::sort(Wiring& wiring, std::vector<std::int32_t>& lags) const {
  if (std::adjacent_find(lags.begin(), lags.end(), std::not_equal_to<>()) == lags.end()) return;
  std::vector<std::uint32_t> order(lags.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return wiring.source[a] != wiring.source[b] ? wiring.source[a] < wiring.source[b] : lags[a] < lags[b];
  });
  for (std::vector<std::int32_t>* values : {&wiring.source, &wiring.target, &lags}) {
    const std::vector<std::int32_t> old = *values;
    for (std::size_t k = 0; k < order.size(); ++k) (*values)[k] = old[order[k]];
  }
}

Route Wirer::route(const Wiring& wiring, const std::vector<std::int32_t>& lags, bool of_target) const {
  const Part& part = of_target ? to_ : from_;
  const std::vector<std::int32_t>& neuron = of_target ? wiring.target : wiring.source;
  Route out;
  const std::set<std::int32_t> different(lags.begin(), lags.end());
  out.lags.assign(different.begin(), different.end());
  const std::size_t num_lags = std::max<std::size_t>(1, out.lags.size());
  const auto place = [&](std::size_t k) {
    const auto lag = static_cast<std::size_t>(std::lower_bound(out.lags.begin(), out.lags.end(), lags[k]) - out.lags.begin());
    return (static_cast<std::size_t>(neuron[k]) - part.first) * num_lags + lag;
  };
  out.begin.assign(part.num * num_lags + 1, 0);
  bool as_they_stand = true;
  for (std::size_t k = 0, before = 0; k < lags.size(); ++k) {
    const std::size_t at = place(k);
    ++out.begin[at + 1];
    as_they_stand = as_they_stand && at >= before;
    before = at;
  }
  for (std::size_t k = 1; k < out.begin.size(); ++k) out.begin[k] += out.begin[k - 1];
  for (std::size_t k = 1; k < lags.size() && as_they_stand; ++k)
    out.targets_rise = out.targets_rise && (place(k) != place(k - 1) || wiring.target[k - 1] <= wiring.target[k]);
  if (as_they_stand) return out;
  out.synapses.resize(lags.size());
  std::vector<std::uint32_t> next(out.begin.begin(), out.begin.end() - 1);
  for (std::size_t k = 0; k < lags.size(); ++k) out.synapses[next[place(k)]++] = static_cast<std::uint32_t>(k);
  return out;
}

}  // namespace hartline::dynamics
