#include "models/family.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"

namespace hartline::models {

std::vector<double> Axis::points(const std::string& path) const {
  std::vector<double> out = values;
  if (!values.empty()) {
    if (num != 1 || from != 0 || to != 0) throw SpecError({path, "either values or from, to and num", "both", ""});
  } else {
    if (num > 1 && !(to > from)) throw SpecError({path + ".to", fmt::format("> from = {}", from), number_text(to), ""});
    if (scale == "log" && !(from > 0)) throw SpecError({path + ".from", "> 0 for scale log", number_text(from), ""});
    for (std::int64_t i = 0; i < num; ++i) {
      const double u = num > 1 ? static_cast<double>(i) / static_cast<double>(num - 1) : 0;
      out.push_back(i == 0 ? from : i + 1 == num ? to : scale == "log" ? from * std::pow(to / from, u) : from + u * (to - from));
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(out[i])) throw SpecError({path, "finite values", number_text(out[i]), ""});
    if (i > 0 && !(out[i] > out[i - 1]))
      throw SpecError({path, "increasing values", fmt::format("{} after {}", out[i], out[i - 1]), ""});
  }
  return out;
}

void Family::evaluate_all(const double* stimulus, std::size_t num, const double* parameters_of_all, double* out) const {
  const auto num_out = static_cast<std::size_t>(num_choices() > 0 ? num_choices() : 1);
  for (std::size_t i = 0; i < num; ++i) evaluate(stimulus, parameters_of_all + i * parameters.size(), out + i * num_out);
}

namespace {

Parameter parameter(const char* name, const char* unit, const Axis& axis, const Constraint& domain) {
  Parameter out{name, unit, axis.points(std::string("model.") + name)};
  for (double v : out.values)
    if (v < domain.low || (domain.low_open && v <= domain.low) || v > domain.high)
      throw SpecError({std::string("model.") + name, requirement_text(domain, unit), number_text(v), ""});
  return out;
}

class GaussianTuningCurve final : public Family {
 public:
  explicit GaussianTuningCurve(const TuningCurveSpec& spec) : bin_s_(spec.bin_ms / 1000) {
    parameters = {parameter("centre", "", spec.centre, any()), parameter("width", "", spec.width, positive()),
                  parameter("amplitude", "Hz", spec.amplitude, non_negative()),
                  parameter("baseline", "Hz", spec.baseline, positive())};
  }
  int num_choices() const override { return 0; }
  void evaluate(const double* x, const double* p, double* out) const override {
    const double z = (x[0] - p[0]) / p[1];
    *out = bin_s_ * (p[2] * std::exp(-0.5 * z * z) + p[3]);
  }

 private:
  double bin_s_;
};

class WeibullPsychometric final : public Family {
 public:
  explicit WeibullPsychometric(const PsychometricSpec& spec) {
    parameters = {parameter("threshold", "dB", spec.threshold, any()), parameter("slope", "", spec.slope, positive()),
                  parameter("guess", "", spec.guess, between(0, 1)), parameter("lapse", "", spec.lapse, between(0, 1))};
    if (parameters[2].values.back() + parameters[3].values.back() >= 1)
      throw SpecError({"model.lapse", "< 1 - guess", number_text(parameters[3].values.back()), ""});
  }
  int num_choices() const override { return 2; }
  void evaluate(const double* x, const double* p, double* out) const override {
    const double failure = std::exp(-std::pow(10.0, p[1] * (x[0] - p[0]) / 20));
    out[1] = 1 - p[3] - (1 - p[2] - p[3]) * failure;
    out[0] = 1 - out[1];
  }
};

}  // namespace

std::unique_ptr<Family> make_family(const TuningCurveSpec& spec) { return std::make_unique<GaussianTuningCurve>(spec); }
std::unique_ptr<Family> make_family(const PsychometricSpec& spec) { return std::make_unique<WeibullPsychometric>(spec); }

}  // namespace hartline::models
