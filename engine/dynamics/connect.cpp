#include "dynamics/connect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"

namespace hartline::dynamics {

namespace {

using Found = std::vector<std::pair<std::int32_t, std::int32_t>>;

std::int32_t number(std::size_t n) { return static_cast<std::int32_t>(n); }

void refuse_many(std::size_t num, const std::string& path) {
  if (num > 4000000000u) throw SpecError({path, "at most 4e9 synapses", std::to_string(num), ""});
}

/// Of every source each target with the same probability: from one synapse to the next by a geometric step.
void by_probability(const Pairs& pairs, bool to_itself, std::uint64_t seed, std::uint64_t index, const std::string& path,
                    Found& out) {
  const double p = pairs.probability;
  if (p <= 0) return;
  for (std::size_t i = 0; i < pairs.num_sources; ++i) {
    Stream stream(seed, Purpose::connect, index, i);
    for (std::size_t j = 0; j < pairs.num_targets; ++j) {
      if (p < 1) {
        const double skip = std::floor(std::log1p(-stream.uniform()) / std::log1p(-p));
        if (skip >= static_cast<double>(pairs.num_targets - j)) break;
        j += static_cast<std::size_t>(skip);
      }
      if (to_itself || !pairs.is_itself(i, j)) out.emplace_back(number(i), number(j));
    }
    refuse_many(out.size(), path);
  }
}

/// Every pair is looked at.
void by_pair(const Pairs& pairs, bool to_itself, std::uint64_t seed, std::uint64_t index, const std::string& path, Found& out) {
  std::vector<double> allowed(pairs.num_targets, 1.0), probability(pairs.num_targets, pairs.probability);
  for (std::size_t i = 0; i < pairs.num_sources; ++i) {
    if (pairs.condition) pairs.condition(i, allowed.data());
    if (pairs.probabilities) pairs.probabilities(i, probability.data());
    Stream stream(seed, Purpose::connect, index, i);
    for (std::size_t j = 0; j < pairs.num_targets; ++j) {
      const double p = probability[j];
      if (!(p >= 0 && p <= 1))
        throw SpecError({path + ".probability", "between 0 and 1", number_text(p), fmt::format("From {} to {}.", i, j)});
      const bool drawn = p >= 1 || stream.uniform() < p;
      if (drawn && allowed[j] != 0 && (to_itself || !pairs.is_itself(i, j))) out.emplace_back(number(i), number(j));
    }
    refuse_many(out.size(), path);
  }
}

/// `num` different members of 0 … all - 1 but `except`, rising; by Floyd's way.
std::vector<std::int32_t> sample(std::size_t all, std::size_t num, std::size_t except, Stream& stream) {
  const std::size_t free = all - (except < all ? 1 : 0);
  std::vector<std::int32_t> out;
  out.reserve(num);
  std::vector<bool> taken(free);
  for (std::size_t last = free - num; last < free; ++last) {
    const auto drawn = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(last + 1)));
    taken[taken[drawn] ? last : drawn] = true;
  }
  for (std::size_t k = 0; k < free; ++k)
    if (taken[k]) out.push_back(number(k < except ? k : k + 1));
  return out;
}

/// Pairs that rise by target, by source.
Found by_source(const Found& pairs, std::size_t num_sources) {
  std::vector<std::size_t> next(num_sources + 1);
  for (const auto& [i, j] : pairs) ++next[static_cast<std::size_t>(i) + 1];
  for (std::size_t i = 1; i < next.size(); ++i) next[i] += next[i - 1];
  Found out(pairs.size());
  for (const auto& pair : pairs) out[next[static_cast<std::size_t>(pair.first)]++] = pair;
  return out;
}

/// The same number of synapses of each neuron of one side.
void by_degree(const Pairs& pairs, std::size_t degree, bool in, bool to_itself, std::uint64_t seed, std::uint64_t index,
               const std::string& path, Found& out) {
  const std::size_t num = in ? pairs.num_targets : pairs.num_sources, others = in ? pairs.num_sources : pairs.num_targets;
  for (std::size_t k = 0; k < num; ++k) {
    const std::int64_t itself = static_cast<std::int64_t>(k) + (in ? -pairs.shift : pairs.shift);
    const bool is_there = !to_itself && pairs.same_group && itself >= 0 && itself < static_cast<std::int64_t>(others);
    const std::size_t free = others - (is_there ? 1 : 0);
    if (degree > free)
      throw SpecError({path + (in ? ".fixed_in" : ".fixed_out"), fmt::format("at most {}, the neurons on the other side", free),
                       std::to_string(degree), ""});
    Stream stream(seed, Purpose::connect, index, k);
    for (const std::int32_t other : sample(others, degree, is_there ? static_cast<std::size_t>(itself) : others, stream))
      out.emplace_back(in ? other : number(k), in ? number(k) : other);
  }
  refuse_many(out.size(), path);
}

}  // namespace

Found draw_pairs(const ConnectSpec& spec, const Pairs& pairs, std::uint64_t seed, std::uint64_t index, const std::string& path) {
  const bool by_pairs = !spec.probability.empty() || !spec.condition.empty();
  const int rules = static_cast<int>(by_pairs) + static_cast<int>(spec.fixed_in > 0) + static_cast<int>(spec.fixed_out > 0) +
                    static_cast<int>(spec.one_to_one) + static_cast<int>(!spec.from.empty() || !spec.to.empty());
  if (rules != 1)
    throw SpecError({path, "one rule: probability, condition, fixed_in, fixed_out, one_to_one, or from and to",
                     fmt::format("{} of them", rules), ""});
  Found out;
  if (by_pairs) {
    if (!pairs.condition && !pairs.probabilities && !(pairs.probability >= 0 && pairs.probability <= 1))
      throw SpecError({path + ".probability", "between 0 and 1", number_text(pairs.probability), ""});
    if (pairs.condition || pairs.probabilities)
      by_pair(pairs, spec.to_itself, seed, index, path, out);
    else
      by_probability(pairs, spec.to_itself, seed, index, path, out);
  } else if (spec.fixed_in > 0 || spec.fixed_out > 0) {
    const bool in = spec.fixed_in > 0;
    by_degree(pairs, static_cast<std::size_t>(in ? spec.fixed_in : spec.fixed_out), in, spec.to_itself, seed, index, path, out);
    if (in) out = by_source(out, pairs.num_sources);
  } else if (spec.one_to_one) {
    if (pairs.num_sources != pairs.num_targets)
      throw SpecError({path + ".one_to_one", "left out where sources and targets differ in number",
                       fmt::format("{} and {}", pairs.num_sources, pairs.num_targets), ""});
    if (!spec.to_itself && pairs.is_itself(0, 0))
      throw SpecError({path + ".one_to_one", "left out for a group onto itself with to_itself = false", "true", ""});
    for (std::size_t k = 0; k < pairs.num_sources; ++k) out.emplace_back(number(k), number(k));
  } else {
    if (spec.from.size() != spec.to.size())
      throw SpecError(
          {path + ".to", fmt::format("{} numbers, as many as from", spec.from.size()), std::to_string(spec.to.size()), ""});
    for (std::size_t k = 0; k < spec.from.size(); ++k) {
      const auto i = spec.from[k], j = spec.to[k];
      if (i < 0 || i >= static_cast<std::int64_t>(pairs.num_sources))
        throw SpecError(
            {fmt::format("{}.from[{}]", path, k), fmt::format("0 to {}", pairs.num_sources - 1), std::to_string(i), ""});
      if (j < 0 || j >= static_cast<std::int64_t>(pairs.num_targets))
        throw SpecError({fmt::format("{}.to[{}]", path, k), fmt::format("0 to {}", pairs.num_targets - 1), std::to_string(j), ""});
      out.emplace_back(static_cast<std::int32_t>(i), static_cast<std::int32_t>(j));
    }
    std::stable_sort(out.begin(), out.end());
  }
  return out;
}

}  // namespace hartline::dynamics
