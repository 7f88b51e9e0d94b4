// Information about samples whose laws are negative binomial or mixtures: by quadrature over the responses.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "design/sample_information.hpp"
#include "design/spread_samples.hpp"
#include "numerics/lanes.hpp"
#include "numerics/special.hpp"

namespace hartline::design {

using models::LawForm;
using models::LawPart;
using numerics::Lanes;
using numerics::load_part;
using numerics::num_lanes;
using numerics::spread;

namespace {

// Counts: every one up to some hundred, then nodes u = ∫ dr / √(r + a r²) of which four lie in a standard deviation of the law of
// least dispersion a. The weights of both pass into each other smoothly, over few of these standard deviations, so that each rule
// keeps its accuracy.
constexpr double nodes_per_sd = 4;
constexpr double least_sd = 7, first_spaced = 16;  // where the nodes begin
constexpr double width = 0.3, half_passage = 5.5 * width;
constexpr double max_dispersion = 1;  // beyond it laws have a side that is no wider
constexpr double farthest = 28;       // e^-28 of a law may lie beyond the last node
constexpr std::size_t max_count_nodes = 4096;

/// A component of a count's law with every sample.
struct CountPart {
  const double *weight, *mean, *dispersion;  // [num]; null: 1, and 0 (poisson)
  const double* rising;                      // [num_nodes] log Γ(n + r) / Γ(n) n^r, n = 1 / dispersion, where all have the same
};

/// log Γ(n + r) / (Γ(n) n^r) at successive nodes.
class Rising {
 public:
  HARTLINE_INLINE explicit Rising(Lanes dispersion) : dispersion_(dispersion) {}
  /// At the next whole number.
  HARTLINE_INLINE Lanes next() {
    const Lanes out = at_;
    at_ += numerics::log(spread(1) + dispersion_ * spread(r_));
    r_ += 1;
    return out;
  }
  /// From here on to any r, by Stirling's formula.
  HARTLINE_INLINE Lanes beyond(double r) const {
    const Lanes d = spread(r - r_), n = spread(1) / dispersion_, from = n + spread(r_), to = n + spread(r);
    const Lanes rest = spread(1.0 / 12) / to - spread(1.0 / 12) / from - spread(1.0 / 360) / (to * to * to) +
                       spread(1.0 / 360) / (from * from * from);
    return at_ + (from - spread(0.5)) * numerics::log1p(d / from) + d * (numerics::log1p(spread(r) * dispersion_) - spread(1)) +
           rest;
  }

 private:
  Lanes dispersion_, at_ = spread(0);
  double r_ = 0;
};

struct CountRule {
  const double *r, *weight, *log_factorial;
  std::size_t num, num_whole;  // whole numbers come first, from 0 on
  std::size_t first_spaced;    // whole number that Stirling's formula goes on from
};

/// Adds w_i p(r | i) to sums [num_nodes, lanes]; returns Σ_i w_i Σ_r weight_r p log p.
HARTLINE_CLONES double add_counts(const double* w, std::size_t num, const CountPart* parts, std::size_t num_parts,
                                  const CountRule& rule, double* row, double* sums) {
  Lanes conditional = spread(0);
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const Lanes share = load_part(w + i, count, 0);
    Lanes total = spread(0), own = spread(0);
    for (std::size_t c = 0; c < num_parts; ++c) {
      // lanes that are left over are like the first, and weigh nothing
      const Lanes mean = load_part(parts[c].mean + i, count, parts[c].mean[i]), safe = mean > spread(tiny) ? mean : spread(tiny);
      const Lanes weight = parts[c].weight ? load_part(parts[c].weight + i, count, 1) : spread(1);
      Lanes scale = numerics::log(safe), zero = mean, dispersion = spread(1);
      if (parts[c].dispersion) {
        dispersion = load_part(parts[c].dispersion + i, count, parts[c].dispersion[i]);
        const Lanes excess = numerics::log1p(dispersion * mean);
        scale -= excess;
        zero = excess / dispersion;
      }
      total += weight;
      Rising rising(dispersion), kept(dispersion);
      for (std::size_t j = 0; j < rule.num; ++j) {
        Lanes log_p = spread(rule.r[j]) * scale - zero - spread(rule.log_factorial[j]);
        if (parts[c].rising) {
          log_p += spread(parts[c].rising[j]);
        } else if (parts[c].dispersion) {
          if (j == rule.first_spaced) kept = rising;
          log_p += j < rule.num_whole ? rising.next() : kept.beyond(rule.r[j]);
        }
        const Lanes p = weight * numerics::exp(log_p), before = c == 0 ? spread(0) : numerics::load(row + j * num_lanes);
        numerics::store(row + j * num_lanes, before + p);
        if (num_parts == 1) own += spread(rule.weight[j]) * (p > spread(tiny) ? p * log_p : spread(0));
      }
    }
    const Lanes norm = spread(1) / total;
    for (std::size_t j = 0; j < rule.num; ++j) {
      const Lanes p = num_parts == 1 ? numerics::load(row + j * num_lanes) : norm * numerics::load(row + j * num_lanes);
      if (num_parts > 1) own += spread(rule.weight[j]) * p * numerics::log(p > spread(tiny) ? p : spread(tiny));
      numerics::store(sums + j * num_lanes, numerics::load(sums + j * num_lanes) + share * p);
    }
    conditional += share * own;
  }
  return numerics::sum(conditional);
}

/// Σ_i w_i ∫ p_i log p_i, p_i a mixture of normal laws: shares, means and standard deviations [num_parts, num], the narrowest
/// first. The same sum of differences as MixtureEntropy's, over the components of one sample.
HARTLINE_CLONES double negentropy_of_mixtures(const double* w, std::size_t num, const double* share, const double* mean,
                                              const double* sd, std::size_t num_parts) {
  constexpr double reach = 7, per_sd = 3, root = 0.39894228040143267794;
  constexpr int half = static_cast<int>(reach * per_sd);
  Lanes out = spread(0);
  for (std::size_t i = 0; i < num; i += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - i));
    const auto of = [&](const double* values, std::size_t c) { return load_part(values + c * num + i, count, 1); };
    Lanes total = spread(0);
    for (std::size_t k = 0; k < num_parts; ++k) {
      const Lanes center = of(mean, k), own_sd = of(sd, k), top = spread(root) * of(share, k) / own_sd;
      Lanes sum = spread(0);
      for (int j = -half; j <= half; ++j) {
        const double z = j / per_sd;
        const Lanes y = center + spread(z) * own_sd;
        Lanes below = spread(0);
        for (std::size_t c = k + 1; c < num_parts; ++c) {
          const Lanes other = of(sd, c), u = (y - of(mean, c)) / other;
          below += spread(root) * of(share, c) / other * numerics::exp(spread(-0.5) * u * u);
        }
        const Lanes both = below + top * spread(std::exp(-0.5 * z * z));
        sum += both * numerics::log(both > spread(tiny) ? both : spread(tiny));
        if (k + 1 < num_parts) sum -= below * numerics::log(below > spread(tiny) ? below : spread(tiny));
      }
      total += sum * own_sd / spread(per_sd);
    }
    out += load_part(w + i, count, 0) * total;
  }
  return numerics::sum(out);
}

}  // namespace

/// Parts of the one law: itself, or those of a mixture.
std::vector<LawPart> SampleInformation::parts_of_law() const {
  return law_.form == LawForm::mixture ? law_.parts : std::vector<LawPart>{{&law_, 0, num_arguments_}};
}

void SampleInformation::check_arguments(std::span<const double> w, const double* arguments, std::size_t stride) const {
  double a[64];
  for (std::size_t i = 0; i < w.size(); ++i) {
    for (std::size_t k = 0; k < num_arguments_; ++k) a[k] = arguments[k * stride + i];
    if (!models::is_valid(law_, {a, num_arguments_}))
      throw RunError({"model.response", "possible arguments of " + std::string(law_.name),
                      fmt::format("{}", fmt::join(a, a + num_arguments_, ", ")), ""});
  }
}

double SampleInformation::of_any_counts(std::span<const double> w, const double* arguments, std::size_t stride, Scratch& s) const {
  check_arguments(w, arguments, stride);
  const std::size_t num = w.size();
  CountPart parts[max_parts];
  double top = 0, least = INFINITY;
  for (std::size_t c = 0; c < parts_.size(); ++c) {
    const bool mixed = law_.form == LawForm::mixture, poisson = parts_[c].law->form == LawForm::poisson;
    const double* first = arguments + parts_[c].first * stride;
    parts[c] = {mixed ? first - stride : nullptr, first, poisson ? nullptr : first + stride, nullptr};
    for (std::size_t i = 0; i < num; ++i) {
      // of a gamma law e^-t lies beyond n + √(2 n t) + t, of a poisson law beyond λ + √(2 λ t) + t
      const double mean = first[i], dispersion = poisson ? 0 : first[stride + i];
      const double rate = mean + std::sqrt(2 * farthest * dispersion) * mean + farthest * dispersion * mean;
      top = std::max(top, rate + std::sqrt(2 * farthest * rate) + farthest);
      least = std::min(least, dispersion);
    }
  }
  least = std::min(least, max_dispersion);
  const double root = std::sqrt(least);
  const auto r_at = [&](double u) { return root > 1e-9 ? std::pow(std::sinh(0.5 * root * u) / root, 2) : 0.25 * u * u; };
  const auto u_at = [&](double r) { return root > 1e-9 ? 2 * std::asinh(std::sqrt(r) * root) / root : 2 * std::sqrt(r); };
  const double square = least_sd * least_sd, begin = 2 * square / (1 + std::sqrt(1 + 4 * least * square));
  const double from = u_at(std::max(begin, first_spaced)), middle = from + half_passage, end = r_at(middle + half_passage);
  const bool spaced = top > end;
  const double step = 1 / nodes_per_sd, num_spaced = spaced ? std::ceil((u_at(top) - from) / step) + 1 : 0;
  const auto num_whole = static_cast<std::size_t>(std::ceil(std::min(top, end))) + 1;
  if (!(num_spaced + static_cast<double>(num_whole) <= static_cast<double>(max_count_nodes)))
    return nested(w, arguments, stride, s);
  const std::size_t num_nodes = num_whole + static_cast<std::size_t>(num_spaced);
  s.p.resize(num_nodes);
  s.weight.resize(num_nodes);
  s.log_p.resize(num_nodes);
  const auto share_of_whole = [&](double u) { return spaced ? 0.5 * std::erfc((u - middle) / (std::numbers::sqrt2 * width)) : 1; };
  for (std::size_t j = 0; j < num_nodes; ++j) {
    const bool whole = j < num_whole;
    const double u = whole ? u_at(static_cast<double>(j)) : from + step * static_cast<double>(j - num_whole);
    const double r = whole ? static_cast<double>(j) : r_at(u);
    s.p[j] = r;
    s.weight[j] = whole ? share_of_whole(u) : (1 - share_of_whole(u)) * step * std::sqrt(r + least * r * r);
    s.log_p[j] = numerics::log_gamma(r + 1);
  }
  // where a dispersion is the same for all, what depends on it is worked out once
  s.means.resize(parts_.size() * num_nodes);
  for (std::size_t c = 0; c < parts_.size(); ++c) {
    const double* dispersion = parts[c].dispersion;
    if (!dispersion || std::any_of(dispersion, dispersion + num, [&](double d) { return d != dispersion[0]; })) continue;
    double* out = &s.means[c * num_nodes];
    Rising rising(spread(dispersion[0])), kept = rising;
    for (std::size_t j = 0; j < num_nodes; ++j) {
      if (j == static_cast<std::size_t>(first_spaced)) kept = rising;
      out[j] = (j < num_whole ? rising.next() : kept.beyond(s.p[j]))[0];
    }
    parts[c].rising = out;
  }
  const CountRule rule{s.p.data(), s.weight.data(), s.log_p.data(), num_nodes, num_whole, static_cast<std::size_t>(first_spaced)};
  s.column.assign(2 * num_nodes * num_lanes, 0.0);
  double *sums = s.column.data(), *row = sums + num_nodes * num_lanes;
  double out = add_counts(w.data(), num, parts, parts_.size(), rule, row, sums);
  for (std::size_t j = 0; j < num_nodes; ++j) {
    const double p = numerics::sum(numerics::load(sums + j * num_lanes));
    if (p > tiny) out -= s.weight[j] * p * std::log(p);
  }
  return out;
}

double SampleInformation::of_normal_mixtures(std::span<const double> w, const double* arguments, std::size_t stride,
                                             Scratch& s) const {
  check_arguments(w, arguments, stride);
  const std::size_t num = w.size(), num_parts = parts_.size(), all = num_parts * num;
  s.normals.resize(4 * all);
  double *share = s.normals.data(), *mean = share + all, *sd = mean + all, *joint = sd + all;
  std::size_t order[max_parts];
  for (std::size_t i = 0; i < num; ++i) {
    const auto argument = [&](std::size_t part, std::ptrdiff_t k) {
      return arguments[(static_cast<std::ptrdiff_t>(parts_[part].first) + k) * static_cast<std::ptrdiff_t>(stride) +
                       static_cast<std::ptrdiff_t>(i)];
    };
    double total = 0;
    for (std::size_t c = 0; c < num_parts; ++c) {
      order[c] = c;
      total += argument(c, -1);
    }
    std::sort(order, order + num_parts, [&](std::size_t a, std::size_t b) { return argument(a, 1) < argument(b, 1); });
    for (std::size_t c = 0; c < num_parts; ++c) {
      share[c * num + i] = argument(order[c], -1) / total;
      mean[c * num + i] = argument(order[c], 0);
      sd[c * num + i] = argument(order[c], 1);
      joint[c * num + i] = w[i] * share[c * num + i];
    }
  }
  return s.mixture.entropy({joint, all}, mean, sd) + negentropy_of_mixtures(w.data(), num, share, mean, sd, num_parts);
}

}  // namespace hartline::design
