#include "dynamics/wiring.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
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

double Wirer::one_number(Id id, const char* key) const {
  if (!names_.is_shared(id)) throw SpecError({path_ + "." + key, "the same for all synapses", "different ones", ""});
  const std::int32_t none = 0;
  double out = 0;
  of_pairs(make_formula(names_, std::array<Id, 1>{id}), &none, &none, 0, 1, source(3), &out);
  return out;
}

std::int32_t Wirer::rounded(double seconds, const char* key) const {
  const double steps = std::nearbyint(seconds / dt_s_);
  if (!(steps >= 0 && steps <= 1e6))
    throw SpecError({path_ + "." + key, "0 ms or more, and at most 1e6 steps", number_text(seconds * 1e3) + " ms", ""});
  return static_cast<std::int32_t>(steps);
}

std::int32_t Wirer::steps_of(Id delay, const char* key) {
  return delay == equations::no_id ? 0 : rounded(one_number(delay, key), key);
}

Wiring Wirer::draw(const ConnectSpec& spec, const Rules& rules) {
  Pairs pairs;
  pairs.num_sources = from_.num;
  pairs.num_targets = to_.num;
  pairs.same = from_.group == to_.group && from_.first == to_.first && from_.num == to_.num;
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
  std::vector<std::int32_t> lag = lags_of(out, rules.delay);
  const std::set<std::int32_t> different(lag.begin(), lag.end());
  out.lags.assign(different.begin(), different.end());
  if (out.lags.size() > 1) {
    std::vector<std::uint32_t> order(lag.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::uint32_t>(k);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return out.source[a] != out.source[b] ? out.source[a] < out.source[b] : lag[a] < lag[b];
    });
    for (std::vector<std::int32_t>* values : {&out.source, &out.target, &lag}) {
      const std::vector<std::int32_t> old = *values;
      for (std::size_t k = 0; k < order.size(); ++k) (*values)[k] = old[order[k]];
    }
  }
  const std::size_t num_lags = std::max<std::size_t>(1, out.lags.size());
  out.begin.assign(from_.num * num_lags + 1, 0);
  for (std::size_t k = 0; k < lag.size(); ++k) {
    const auto which = static_cast<std::size_t>(std::lower_bound(out.lags.begin(), out.lags.end(), lag[k]) - out.lags.begin());
    ++out.begin[(static_cast<std::size_t>(out.source[k]) - from_.first) * num_lags + which + 1];
  }
  for (std::size_t k = 1; k < out.begin.size(); ++k) out.begin[k] += out.begin[k - 1];
  return out;
}

/// Delays in steps, of every synapse.
std::vector<std::int32_t> Wirer::lags_of(const Wiring& wiring, Id delay) const {
  std::vector<std::int32_t> out(wiring.num(), 0);
  if (delay == equations::no_id) return out;
  if (names_.is_shared(delay)) {
    std::fill(out.begin(), out.end(), rounded(one_number(delay, "delay"), "delay"));
    return out;
  }
  std::vector<double> seconds(wiring.num());
  of_pairs(make_formula(names_, std::array<Id, 1>{delay}), wiring.source.data(), wiring.target.data(), 0, wiring.num(), source(2),
           seconds.data());
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = rounded(seconds[k], "delay");
  return out;
}

void Wirer::index_targets(Wiring& wiring) const {
  wiring.post_begin.assign(to_.num + 1, 0);
  for (const std::int32_t j : wiring.target) ++wiring.post_begin[static_cast<std::size_t>(j) - to_.first + 1];
  for (std::size_t k = 1; k < wiring.post_begin.size(); ++k) wiring.post_begin[k] += wiring.post_begin[k - 1];
  wiring.post.resize(wiring.num());
  std::vector<std::uint32_t> at(wiring.post_begin.begin(), wiring.post_begin.end() - 1);
  for (std::size_t k = 0; k < wiring.num(); ++k)
    wiring.post[at[static_cast<std::size_t>(wiring.target[k]) - to_.first]++] = static_cast<std::uint32_t>(k);
}

}  // namespace hartline::dynamics
