#include "loop/mismatch.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hartline::loop {

void MismatchTest::Bet::place(double y, double max_lambda) {
  const double gain = 1 + lambda * y;
  log_capital += std::log(gain);
  const double slope = y / gain;
  curvature += slope * slope;
  constexpr double rate = 2.2195;  // 2 / (2 - ln 3), Cutkosky & Orabona 2018
  lambda = std::clamp(lambda + rate * slope / curvature, 0.0, max_lambda);
}

void MismatchTest::add(double u, double predicted) {
  if (!(u >= 0 && u <= 1)) return;
  ++histogram_[static_cast<std::size_t>(std::min(9.0, u * 10))];
  // the rate relative to those before, between -1 and 1
  const double x = std::log(std::max(predicted, 1e-6));
  const double sd = count_ > 1 ? std::sqrt(sum_ / (count_ - 1)) : 0;
  const double w = sd > 1e-9 ? std::clamp((x - mean_) / (2 * sd), -1.0, 1.0) : 0;
  const double z1 = std::sqrt(3.0) * (2 * u - 1), z2 = std::sqrt(5.0) * (6 * u * u - 6 * u + 1);
  const double z3 = std::sqrt(7.0) * (20 * u * u * u - 30 * u * u + 12 * u - 1);
  constexpr double tail = 0.02;
  const auto in_tail = [](double v) { return (v < tail ? 1 / tail : 0) - 1; };
  const double value[num_strategies] = {z1, z2, z3, z1, z2, z1, z1, in_tail(u), in_tail(1 - u)};
  const double weight[num_strategies] = {1, 1, 1, w, w, 2 * w * w - 1, last_ / std::sqrt(3.0), 1, 1};
  constexpr double largest[num_strategies] = {1.75, 2.25, 2.7, 1.75, 2.25, 1.75, 1.75, 49, 49};
  for (std::size_t k = 0; k < num_strategies; ++k) {
    const double scale = k < 7 ? 1 : 7;  // standard deviation of g
    const double y = value[k] * weight[k], slack = tolerance * scale * std::abs(weight[k]);
    bets_[k][0].place(y - slack, 0.5 / largest[k]);
    bets_[k][1].place(-y - slack, 0.5 / largest[k]);
  }
  last_ = z1;
  count_ += 1;
  const double step = x - mean_;
  mean_ += step / count_;
  sum_ += step * (x - mean_);
  highest_ = std::max(highest_, log10_evidence());
}

double MismatchTest::log10_evidence(std::size_t strategy) const {
  const double a = bets_[strategy][0].log_capital, b = bets_[strategy][1].log_capital, top = std::max(a, b);
  return (top + std::log(0.5 * (std::exp(a - top) + std::exp(b - top)))) / std::numbers::ln10;
}

double MismatchTest::log10_evidence() const {
  double top = log10_evidence(0), sum = 0;
  for (std::size_t k = 1; k < num_strategies; ++k) top = std::max(top, log10_evidence(k));
  for (std::size_t k = 0; k < num_strategies; ++k) sum += std::pow(10.0, log10_evidence(k) - top);
  return top + std::log10(sum / static_cast<double>(num_strategies));
}

}  // namespace hartline::loop
