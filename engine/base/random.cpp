#include "base/random.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>
#include <random>

#include "base/error.hpp"

namespace hartline {

Stream::result_type Stream::operator()() {
  if (left_ == 0) {
    const r123::Philox4x64 philox;
    const r123::Philox4x64::ctr_type counter{{block_++, index_, trial_, 0}};
    const r123::Philox4x64::key_type key{{seed_, purpose_}};
    const auto out = philox(counter, key);
    for (int i = 0; i < 4; ++i) numbers_[static_cast<std::size_t>(i)] = out[static_cast<std::size_t>(i)];
    left_ = 4;
  }
  return numbers_[static_cast<std::size_t>(4 - left_--)];
}

double Stream::uniform() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

double Stream::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

double Stream::poisson(double mean) {
  if (!(mean < 1e15)) throw RunError({"rate", "< 1e15 expected counts", number_text(mean), "The subject's rate overflows."});
  if (!(mean > 0)) return 0;
  return static_cast<double>(std::poisson_distribution<std::int64_t>(mean)(*this));
}

double Stream::gamma(double shape, double scale) { return std::gamma_distribution<double>(shape, scale)(*this); }

std::int64_t Stream::integer(std::int64_t count) { return std::uniform_int_distribution<std::int64_t>(0, count - 1)(*this); }

void Stream::fill_normal(std::span<double> out) {
  for (double& x : out) x = normal();
}

void Stream::fill_sphere(std::span<double> out, double radius) {
  double sum = 0;
  do {
    fill_normal(out);
    sum = 0;
    for (double x : out) sum += x * x;
  } while (sum == 0);
  const double scale = radius / std::sqrt(sum);
  for (double& x : out) x *= scale;
}

}  // namespace hartline
