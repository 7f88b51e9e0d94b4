// The experiment file: its tables, and how a file becomes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/describe.hpp"
#include "design/design.hpp"
#include "models/family.hpp"

namespace hartline::loop {

/// `subject.gabor`: k_ij ∝ exp(-(a² + γ² b²) / (2 σ²)) cos(2π a / λ + φ), a and b along and across the orientation, in pixels from
/// the centre; scaled to the length `subject.gain`.
struct GaborSpec {
  double sigma_px = 2;
  double wavelength_px = 4;
  double orientation_deg = 45;
  double phase_deg = 0;
  double aspect = 1;
  double offset_x_px = 0;
  double offset_y_px = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("sigma_px", &GaborSpec::sigma_px, "px", positive(), "standard deviation of the envelope");
    field("wavelength_px", &GaborSpec::wavelength_px, "px", positive(), "wavelength of the carrier");
    field("orientation_deg", &GaborSpec::orientation_deg, "deg", any(), "direction in which the carrier varies");
    field("phase_deg", &GaborSpec::phase_deg, "deg", any(), "phase of the carrier at the centre");
    field("aspect", &GaborSpec::aspect, "", positive(), "γ, how much narrower the envelope is across");
    field("offset_x_px", &GaborSpec::offset_x_px, "px", any(), "centre to the right of the middle");
    field("offset_y_px", &GaborSpec::offset_y_px, "px", any(), "centre below the middle");
  }
};

/// The `subject` table.
struct SubjectSpec {
  std::string kind = "simulated";
  std::string truth = "prior";
  std::vector<double> values;
  double gain = 1;
  GaborSpec gabor;
  double bias = 0;
  double trial_ms = 1000;
  double drift_per_s = 0;
  double lapse = 0;
  double overdispersion = 0;
  std::string folder;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &SubjectSpec::kind, "", one_of({"simulated", "recorded"}), "a model with known parameters, or recorded trials");
    field("truth", &SubjectSpec::truth, "", one_of({"prior", "gabor", "values"}), "where the known parameters come from");
    field("values", &SubjectSpec::values, "", any(), "the parameters, for truth values");
    field("gain", &SubjectSpec::gain, "", positive(), "length of the weights, for truth gabor");
    field("gabor", &SubjectSpec::gabor, "", any(), "shape of the weights, for truth gabor");
    field("bias", &SubjectSpec::bias, "", any(), "bias, for truth gabor with a model that has one");
    field("trial_ms", &SubjectSpec::trial_ms, "ms", positive(), "time from one stimulus to the next");
    field("drift_per_s", &SubjectSpec::drift_per_s, "1/s", non_negative(),
          "variance of the random walk of each parameter per second");
    field("lapse", &SubjectSpec::lapse, "", between(0, 1),
          "probability that a response ignores the stimulus: no spike, or a choice by chance");
    field("overdispersion", &SubjectSpec::overdispersion, "", non_negative(),
          "variance of a gamma gain of mean one on the rate of each trial");
    field("folder", &SubjectSpec::folder, "", any(), "of recorded trials, relative to this file");
  }
};

/// The `stimulus` table.
struct StimulusSpec {
  std::string kind = "ball";
  std::vector<std::int64_t> shape;
  double power = 1;
  std::int64_t num = 1000;
  std::string file;
  models::Axis axis;
  std::string label;
  std::string unit;

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &StimulusSpec::kind, "", required(one_of({"ball", "random_pool", "file", "axis", "recorded"})),
          "ball: |x|² <= power; random_pool: num draws from its sphere; file: rows of a .npy; axis: one value; recorded: the "
          "subject's");
    field("shape", &StimulusSpec::shape, "", at_least(1), "rows and columns of a stimulus, or its length");
    field("power", &StimulusSpec::power, "", positive(), "largest |x|²");
    field("num", &StimulusSpec::num, "", at_least(1), "size of a random pool");
    field("file", &StimulusSpec::file, "", any(), ".npy [num, dim], relative to this file");
    field("axis", &StimulusSpec::axis, "", any(), "values of a one-dimensional stimulus");
    field("label", &StimulusSpec::label, "", any(), "name of the stimulus, for the report");
    field("unit", &StimulusSpec::unit, "", any(), "unit of the stimulus, for the report");
  }
};

/// The `record` table.
struct RecordSpec {
  std::string durability = "every-trial";

  template <class Field>
  static void describe(Field&& field) {
    field("durability", &RecordSpec::durability, "", any(), "every-trial, or window:n: a loss of power may cost up to n trials");
  }
};

/// The `compare` table.
struct CompareSpec {
  std::int64_t num_seeds = 20;
  std::vector<std::int64_t> at;
  std::int64_t num_held_out = 1000;
  std::string metric = "auto";
  std::optional<double> criterion;
  std::vector<Table> design;

  template <class Field>
  static void describe(Field&& field) {
    field("num_seeds", &CompareSpec::num_seeds, "", at_least(1), "paired seeds: seed, seed + 1, …");
    field("at", &CompareSpec::at, "trials", at_least(0), "trial counts at which to measure; default: log-spaced");
    field("num_held_out", &CompareSpec::num_held_out, "", non_negative(), "held-out trials of a simulated subject");
    field("metric", &CompareSpec::metric, "",
          one_of({"auto", "relative_error", "half_logdet", "entropy", "heldout_correlation", "heldout_bits_per_spike",
                  "heldout_log_likelihood"}),
          "of the trials to criterion");
    field("criterion", &CompareSpec::criterion, "", any(), "value of metric to reach; default: the baseline's last");
    field("design", &CompareSpec::design, "", any(), "name, and the tables that this design overrides");
  }
};

/// A whole experiment.
struct Spec {
  std::int64_t format = 1;
  std::string title;
  std::int64_t seed = 1;
  std::int64_t num_trials = 100;
  SubjectSpec subject;
  StimulusSpec stimulus;
  Table model;
  Table belief;
  design::DesignSpec design;
  RecordSpec record;
  std::optional<CompareSpec> compare;

  template <class Field>
  static void describe(Field&& field) {
    field("format", &Spec::format, "", required(between(1, 1)), "version of this file's format");
    field("title", &Spec::title, "", any(), "name of the experiment");
    field("seed", &Spec::seed, "", required(non_negative()), "seed of everything random");
    field("num_trials", &Spec::num_trials, "", required(between(1, 1e9)), "how many stimuli are presented");
    field("subject", &Spec::subject, "", any(), "who responds");
    field("stimulus", &Spec::stimulus, "", required(), "what may be shown");
    field("model", &Spec::model, "", required(), "how responses are thought to arise");
    field("belief", &Spec::belief, "", any(), "prior and drift");
    field("design", &Spec::design, "", any(), "how the next stimulus is chosen");
    field("record", &Spec::record, "", any(), "how the run is written down");
    field("compare", &Spec::compare, "", any(), "designs to compare");
  }
};

/// Reads an experiment. `overrides`: "a.b=3" in TOML's notation, applied in order.
/// Throws: SpecError with the place of what is wrong.
Table read_document(const std::string& path, const std::vector<std::string>& overrides);
Spec read_spec(const Table& document, const std::string& file);

/// The experiment that a record holds. Throws: IoError where its configuration cannot be read.
Spec recorded_spec(const std::string& configuration, const std::string& record);

/// The document with every default written out.
Table resolved(const Spec& spec);

/// The document of one design of a comparison: its tables laid over the experiment's.
Table with_overrides(const Table& document, const Table& design);

}  // namespace hartline::loop
