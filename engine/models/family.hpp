// Parametric families on a grid: how a response depends on the stimulus and a handful of parameters.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "base/random.hpp"

namespace hartline::models {

/// The values that one parameter takes on the grid.
struct Axis {
  double from = 0;
  double to = 0;
  std::int64_t num = 1;
  std::string scale = "linear";
  std::vector<double> values = {};

  template <class Field>
  static void describe(Field&& field) {
    field("from", &Axis::from, "", any(), "first value");
    field("to", &Axis::to, "", any(), "last value");
    field("num", &Axis::num, "", at_least(1), "number of values");
    field("scale", &Axis::scale, "", one_of({"linear", "log"}), "spacing between from and to");
    field("values", &Axis::values, "", any(), "the values themselves, instead of from, to and num");
  }

  /// Throws: SpecError where the description gives no finite increasing values; `path` names the axis.
  std::vector<double> points(const std::string& path) const;
};

/// A named parameter with its grid.
struct Parameter {
  std::string name;
  std::string unit;
  std::vector<double> values = {};
  double period = 0;  // length of the circle that they lie on; 0: they lie on a line
};

/// Seam between a family's formula and the grid belief.
class Family {
 public:
  virtual ~Family() = default;
  /// Number of possible choices, or 0 where the response is a Poisson count.
  virtual int num_choices() const = 0;
  /// Writes what one stimulus does for one set of parameters: the expected count (1 value), or the probability of each choice
  /// (num_choices values that sum to one).
  virtual void evaluate(const double* stimulus, const double* parameters, double* out) const = 0;
  /// The same for num sets of parameters, one after the other.
  virtual void evaluate_all(const double* stimulus, std::size_t num, const double* parameters_of_all, double* out) const;

  /// Draws parameters from a prior that is more than the values of the grid. Returns false where there is none.
  virtual bool draw_prior(Stream&, std::span<double>) const { return false; }

  std::vector<Parameter> parameters;  // slowest axis first
  std::size_t stimulus_dim = 1;
};

/// The `model` table of kind tuning_curve: counts r ~ Poisson(Δ (A exp(-(x - μ)² / (2 σ²)) + b)), rates in Hz.
struct TuningCurveSpec {
  std::string kind = "tuning_curve";
  double bin_ms = 1000;
  Axis centre, width, amplitude, baseline;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &TuningCurveSpec::kind, "", one_of({"tuning_curve"}), "Gaussian tuning curve with Poisson counts");
    field("bin_ms", &TuningCurveSpec::bin_ms, "ms", positive(), "Δ, bin in which spikes are counted");
    field("centre", &TuningCurveSpec::centre, "", required(), "μ, preferred stimulus");
    field("width", &TuningCurveSpec::width, "", required(), "σ, standard deviation of the curve");
    field("amplitude", &TuningCurveSpec::amplitude, "Hz", required(), "A, rate at the peak above the baseline");
    field("baseline", &TuningCurveSpec::baseline, "Hz", required(), "b, rate far from the peak");
  }
};

/// The `model` table of kind psychometric: p(correct) = 1 - δ - (1 - γ - δ) exp(-10^(β (x - t) / 20)), x and t in dB.
/// Reference: Watson 2017, Journal of Vision 17(3):10, doi 10.1167/17.3.10
struct PsychometricSpec {
  std::string kind = "psychometric";
  Axis threshold, slope, guess, lapse;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &PsychometricSpec::kind, "", one_of({"psychometric"}), "Weibull psychometric function of a contrast in dB");
    field("threshold", &PsychometricSpec::threshold, "dB", required(), "t");
    field("slope", &PsychometricSpec::slope, "", required(), "β");
    field("guess", &PsychometricSpec::guess, "", required(), "γ, probability of a correct guess");
    field("lapse", &PsychometricSpec::lapse, "", required(), "δ, probability of a lapse");
  }
};

/// Throw: SpecError for an axis that leaves the parameter's domain.
std::unique_ptr<Family> make_family(const TuningCurveSpec& spec);
std::unique_ptr<Family> make_family(const PsychometricSpec& spec);

}  // namespace hartline::models
