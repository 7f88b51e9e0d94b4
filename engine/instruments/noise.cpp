#include "instruments/noise.hpp"

#include <cmath>
#include <complex>
#include <numbers>

namespace hartline::instruments {

namespace {

constexpr double pi = std::numbers::pi;

/// Common part of both: K = tan(π f / rate).
Section butterworth(double cutoff_hz, double rate_hz, bool high) {
  const double k = std::tan(pi * cutoff_hz / rate_hz), norm = 1 / (1 + std::numbers::sqrt2 * k + k * k);
  Section out;
  out.b0 = high ? norm : k * k * norm;
  out.b1 = high ? -2 * norm : 2 * out.b0;
  out.b2 = out.b0;
  out.a1 = 2 * (k * k - 1) * norm;
  out.a2 = (1 - std::numbers::sqrt2 * k + k * k) * norm;
  return out;
}

}  // namespace

double Section::gain(double frequency_hz, double rate_hz) const {
  const std::complex<double> z = std::polar(1.0, -2 * pi * frequency_hz / rate_hz);
  return std::abs((b0 + z * (b1 + z * b2)) / (1.0 + z * (a1 + z * a2)));
}

Section low_pass(double cutoff_hz, double rate_hz) { return butterworth(cutoff_hz, rate_hz, false); }
Section high_pass(double cutoff_hz, double rate_hz) { return butterworth(cutoff_hz, rate_hz, true); }

Flicker::Flicker(double level, double low_hz, double rate_hz) : sd_(level * std::sqrt(std::numbers::ln2)), rate_hz_(rate_hz) {
  // Processes of variance σ² at corners c sum to Σ 2σ² c / π / (c² + f²), which is σ² / (f ln 2) where corners go on for octaves.
  if (level <= 0) return;
  for (double corner = low_hz / 16; corner < rate_hz / 2; corner *= 2) {
    decay_.push_back(std::exp(-2 * pi * corner / rate_hz));
    kick_.push_back(sd_ * std::sqrt(1 - decay_.back() * decay_.back()));
  }
}

void Flicker::start(Stream& stream, double* own) const {
  for (std::size_t k = 0; k < decay_.size(); ++k) own[k] = sd_ * stream.normal();
}

double Flicker::step(Stream& stream, double* own) const {
  double sum = 0;
  for (std::size_t k = 0; k < decay_.size(); ++k) {
    own[k] = decay_[k] * own[k] + kick_[k] * stream.normal();
    sum += own[k];
  }
  return sum;
}

double Flicker::spectrum(double frequency_hz) const {
  double sum = 0;
  const double cosine = std::cos(2 * pi * frequency_hz / rate_hz_);
  for (const double a : decay_) sum += 2 * sd_ * sd_ / rate_hz_ * (1 - a * a) / (1 - 2 * a * cosine + a * a);
  return sum;
}

}  // namespace hartline::instruments
