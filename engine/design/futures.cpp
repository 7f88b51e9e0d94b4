#include "design/futures.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

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

constexpr double nodes_apart = 1.5, reach = 3.5;  // standard deviations
constexpr double negligible = 1e-5;               // probability of a node that is passed over
constexpr double max_scanned = 1024;              // nodes

HARTLINE_CLONES void normal_likelihood(double y, const double* mean, const double* sd, std::size_t num, double* out) {
  for (std::size_t n = 0; n < num; n += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - n));
    const Lanes inverse = spread(1) / load_part(sd + n, count, 1), z = (spread(y) - load_part(mean + n, count, 0)) * inverse;
    const Lanes density = numerics::exp(spread(-0.5) * z * z) * inverse * spread(1 / std::sqrt(2 * std::numbers::pi));
    numerics::store_part(out + n, density, count);
  }
}

HARTLINE_CLONES void poisson_likelihood(double y, double log_factorial, const double* rate, std::size_t num, double* out) {
  for (std::size_t n = 0; n < num; n += num_lanes) {
    const int count = static_cast<int>(std::min<std::size_t>(num_lanes, num - n));
    const Lanes lambda = load_part(rate + n, count, 1), safe = lambda > spread(1e-300) ? lambda : spread(1e-300);
    const Lanes p = numerics::exp(spread(y) * numerics::log(safe) - lambda - spread(log_factorial));
    numerics::store_part(out + n, p, count);
  }
}

double dot(std::span<const double> a, const double* b) {
  double total = 0;
  for (std::size_t n = 0; n < a.size(); ++n) total += a[n] * b[n];
  return total;
}

}  // namespace

bool Futures::has_rules(std::span<const LawPart> laws) {
  if (laws.size() != 1) return false;
  const models::TextLaw& law = *laws[0].law;
  return law.kind == ResponseKind::choice || law.form == LawForm::poisson || law.form == LawForm::normal ||
         law.form == LawForm::lognormal;
}

void Futures::place(std::span<const double> w, const double* arguments, std::size_t stride, std::size_t most, Nodes& out) const {
  const std::size_t num = w.size();
  out.value.clear();
  out.weight.clear();
  out.p.clear();
  out.one.resize(num);
  double first = 0, last = 0, apart = 1;
  if (law_.kind == ResponseKind::choice) {
    last = static_cast<double>(num_arguments_) - 1;
  } else {
    const auto [low, high] = std::minmax_element(arguments, arguments + num);
    if (law_.form == LawForm::poisson) {
      const double least = std::max(0.0, *low - reach * std::sqrt(*low) - 2), largest = *high + reach * std::sqrt(*high) + 4;
      apart = std::max(1.0, std::ceil((largest - least) / max_scanned));
      first = std::floor(least / apart);
      last = std::ceil(largest / apart);
    } else {
      const auto [least, widest] = std::minmax_element(arguments + stride, arguments + stride + num);
      apart = std::max(nodes_apart * *least, (*high - *low + 2 * reach * *widest) / max_scanned);
      first = std::floor((*low - reach * *widest) / apart);
      last = std::ceil((*high + reach * *widest) / apart);
    }
  }
  const bool choice = law_.kind == ResponseKind::choice;
  double total = 0;
  for (double k = first; k <= last; ++k) {
    likelihood(k * apart, arguments, stride, out.one);
    const double p = dot(w, out.one.data());
    if (!(p * apart > (choice ? 0 : negligible))) continue;
    out.value.push_back(k * apart);
    out.weight.push_back(apart);
    total += out.p.emplace_back(p * apart);
  }
  if (choice || out.value.size() <= most) return;
  // as many as are wanted stand for equal shares
  std::size_t kept = 0;
  double below = 0, taken = 0;
  for (std::size_t f = 0; f < out.value.size(); ++f) {
    below += out.p[f] / total * static_cast<double>(most);
    const double share = std::floor(below + 0.5) - taken;
    if (share <= 0) continue;
    taken += share;
    out.value[kept] = out.value[f];
    out.weight[kept++] = share / static_cast<double>(most) * out.weight[f] / out.p[f];
  }
  out.value.resize(kept);
  out.weight.resize(kept);
}

void Futures::likelihood(double y, const double* arguments, std::size_t stride, std::span<double> out) const {
  if (law_.kind == ResponseKind::choice)
    std::copy_n(arguments + static_cast<std::size_t>(y) * stride, out.size(), out.begin());
  else if (law_.form == LawForm::poisson)
    poisson_likelihood(y, numerics::log_factorial(y), arguments, out.size(), out.data());
  else
    normal_likelihood(y, arguments, arguments + stride, out.size(), out.data());
}

void Futures::add_gradient(double y, const double* arguments, const double* slopes, std::size_t stride,
                           std::span<const double> likelihood, std::span<const double> c, std::span<double> gradient) const {
  const std::size_t dim = gradient.size();
  const auto row = [&](std::size_t argument, std::size_t j) { return slopes + (argument * dim + j) * stride; };
  for (std::size_t j = 0; j < dim; ++j) {
    double total = 0;
    if (law_.kind == ResponseKind::choice) {
      total = dot(c, row(static_cast<std::size_t>(y), j));
    } else if (law_.form == LawForm::poisson) {
      const double *rate = arguments, *by_x = row(0, j);
      for (std::size_t n = 0; n < c.size(); ++n) total += c[n] * likelihood[n] * (y / std::max(rate[n], 1e-300) - 1) * by_x[n];
    } else {
      const double *mean = arguments, *sd = arguments + stride, *mean_by_x = row(0, j), *sd_by_x = row(1, j);
      for (std::size_t n = 0; n < c.size(); ++n) {
        const double z = (y - mean[n]) / sd[n];
        total += c[n] * likelihood[n] * (z * mean_by_x[n] + (z * z - 1) * sd_by_x[n]) / sd[n];
      }
    }
    gradient[j] += total;
  }
}

}  // namespace hartline::design
