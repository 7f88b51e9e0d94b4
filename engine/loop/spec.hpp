// The experiment file: its tables, and how a file becomes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/describe.hpp"
#include "design/design.hpp"
#include "design/train_spec.hpp"
#include "instruments/gabor.hpp"
#include "loop/controls.hpp"
#include "models/family.hpp"

namespace hartline::loop {

/// The `subject` table.
struct SubjectSpec {
  std::string kind = "simulated";
  std::string truth = "prior";
  std::vector<double> values;
  double gain = 1;
  instruments::GaborSpec gabor;
  double bias = 0;
  std::string link;
  std::string candidate;
  std::vector<double> history;
  double trial_ms = 1000;
  double drift_per_s = 0;
  double lapse = 0;
  double overdispersion = 0;
  std::optional<double> sorter_limit;
  std::string lost = "censored";
  double missing_share = 0;
  double blanked_share = 0;
  std::int64_t delay_trials = 0;
  double swapped_share = 0;
  double doubled_share = 0;
  std::int64_t patience_trials = 20;
  bool living = false;
  std::string folder;
  std::optional<double> ask_deadline_ms;
  double silence_s = 10;
  Table network, actuator, sensor;
  double settle_ms = 0;
  std::string read = "bins";

  template <class Field>
  static void describe(Field&& field) {
    field("kind", &SubjectSpec::kind, "", one_of({"simulated", "spiking", "recorded", "remote", "given"}),
          "a model with known parameters, a network of spiking neurons, recorded trials, a rig that asks for stimuli and tells of "
          "responses, or whoever the "
          "calling program brings");
    field("truth", &SubjectSpec::truth, "", one_of({"prior", "gabor", "values"}), "where the known parameters come from");
    field("values", &SubjectSpec::values, "", any(), "the parameters, for truth values");
    field("gain", &SubjectSpec::gain, "", positive(), "length of the weights, for truth gabor");
    field("gabor", &SubjectSpec::gabor, "", any(), "shape of the weights, for truth gabor");
    field("bias", &SubjectSpec::bias, "", any(), "bias, for truth gabor with a model that has one");
    field("link", &SubjectSpec::link, "", any(), "link of a simulated glm, where it is not the model's: a model that is wrong");
    field("candidate", &SubjectSpec::candidate, "", any(), "name of the competing model that answers");
    field("history", &SubjectSpec::history, "", any(), "weights of earlier responses, own first, for truth gabor; absent: 0");
    field("trial_ms", &SubjectSpec::trial_ms, "ms", positive(), "time from one stimulus to the next");
    field("drift_per_s", &SubjectSpec::drift_per_s, "1/s", non_negative(),
          "variance of the random walk of each parameter per second");
    field("lapse", &SubjectSpec::lapse, "", between(0, 1),
          "probability that a response ignores the stimulus: no spike, or a choice by chance");
    field("overdispersion", &SubjectSpec::overdispersion, "", non_negative(),
          "variance of a gamma gain of mean one on the rate of each trial");
    field("sorter_limit", &SubjectSpec::sorter_limit, "spikes", non_negative(), "counts above this are lost");
    field("lost", &SubjectSpec::lost, "", one_of({"censored", "missing"}),
          "what is told of a lost count: that it was larger (censored), or nothing (missing), which biases every belief");
    field("missing_share", &SubjectSpec::missing_share, "", between(0, 1), "probability that a response is missing at random");
    field("blanked_share", &SubjectSpec::blanked_share, "", between(0, 1),
          "share of the stimuli whose artefact hides the response");
    field("delay_trials", &SubjectSpec::delay_trials, "trials", non_negative(), "a response comes this many trials late");
    field("swapped_share", &SubjectSpec::swapped_share, "", between(0, 1), "probability that a response comes after the next one");
    field("doubled_share", &SubjectSpec::doubled_share, "", between(0, 1), "probability that a response comes twice");
    field("patience_trials", &SubjectSpec::patience_trials, "trials", at_least(1),
          "a response that is later than this is given up as missing");
    field("living", &SubjectSpec::living, "", any(),
          "whether the subject cannot be asked again: resuming then gives up the trial in flight");
    field("folder", &SubjectSpec::folder, "", any(), "of recorded trials, relative to this file");
    field("ask_deadline_ms", &SubjectSpec::ask_deadline_ms, "ms", positive(),
          "a rig that asks has its stimulus by then, if need be one drawn at random in place of the choice");
    field("silence_s", &SubjectSpec::silence_s, "s", positive(), "a rig that says nothing for so long is taken to be gone");
    field("network", &SubjectSpec::network, "", any(), "of a spiking subject: neurons, synapses, inputs, arrays and dt_ms");
    field("actuator", &SubjectSpec::actuator, "", any(), "how the stimulus reaches it; kind names one");
    field("sensor", &SubjectSpec::sensor, "", any(), "what is seen of it; kind names one");
    field("settle_ms", &SubjectSpec::settle_ms, "ms", non_negative(), "that the network runs alone before the first trial");
    field("read", &SubjectSpec::read, "", one_of({"bins", "sum", "mean", "change"}),
          "what a response is: the sensor's bins, their sum, their mean, or the change of their mean from what it was while the "
          "network "
          "settled, as a share of that (dF/F)");
  }
};

/// The `stimulus` table.
struct StimulusSpec {
  std::string kind = "ball";
  std::vector<std::int64_t> shape;
  std::int64_t num_frames = 1;
  bool isolated = false;
  double power = 1;
  std::optional<double> low, high;
  std::int64_t num = 1000;
  std::string file;
  models::Axis axis;
  std::vector<models::Axis> axes;
  std::vector<double> duration_ms;
  Table variables;
  std::string label;
  std::string unit;

  template <class Field>
  static void describe(Field&& field) {
    field(
        "kind", &StimulusSpec::kind, "",
        required(one_of({"ball", "box", "random_pool", "file", "axis", "grid", "recorded", "variables"})),
        "ball: |x|² <= power; box: low <= x_i <= high; random_pool: num draws from the ball's sphere; file: rows of a .npy; axis: "
        "one value; grid: every point of several axes; recorded: the subject's; variables: those of a model written as text");
    field("shape", &StimulusSpec::shape, "", at_least(1), "rows and columns of a frame, or its length");
    field("num_frames", &StimulusSpec::num_frames, "", at_least(1), "frames of a stimulus, each with its own bin of the response");
    field("isolated", &StimulusSpec::isolated, "", any(), "whether nothing shown before a trial reaches into it");
    field("power", &StimulusSpec::power, "", positive(), "largest |x|²");
    field("low", &StimulusSpec::low, "", any(), "lowest value of a display; with a ball both limits hold");
    field("high", &StimulusSpec::high, "", any(), "highest value of a display");
    field("num", &StimulusSpec::num, "", at_least(1), "size of a random pool");
    field("file", &StimulusSpec::file, "", any(), ".npy [num, dim], relative to this file");
    field("axis", &StimulusSpec::axis, "", any(), "values of a one-dimensional stimulus");
    field("axes", &StimulusSpec::axes, "", any(), "values along each axis of a grid, slowest first");
    field("duration_ms", &StimulusSpec::duration_ms, "ms", positive(), "of each member of the pool; absent: trial_ms");
    field("variables", &StimulusSpec::variables, "", any(), "name and text of each: range(first, last, step) : unit, values(…)");
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
          one_of({"auto", "relative_error", "field_correlation", "half_logdet", "entropy", "heldout_correlation",
                  "heldout_bits_per_spike", "heldout_log_likelihood"}),
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
  std::vector<ArmSpec> arms;
  ValidationSpec validation;
  StopSpec stop;
  WatchSpec watch;
  RecordSpec record;
  std::optional<CompareSpec> compare;
  std::optional<design::TrainSpec> train;

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
    field("arms", &Spec::arms, "", any(), "designs interleaved on the same cell, each with a belief of its own");
    field("validation", &Spec::validation, "", any(), "a repeated set that no belief takes in");
    field("stop", &Spec::stop, "", any(), "when to stop before num_trials");
    field("watch", &Spec::watch, "", any(), "the mismatch test and the warnings");
    field("record", &Spec::record, "", any(), "how the run is written down");
    field("compare", &Spec::compare, "", any(), "designs to compare");
    field("train", &Spec::train, "", any(), "how a network is trained");
  }
};

/// Lays one document over another: tables are merged, everything else is replaced.
void lay_over(Table& base, const Table& over);

/// Reads an experiment. `overrides`: "a.b=3" in TOML's notation, applied in order.
/// Throws: SpecError with the place of what is wrong.
Table read_document(const std::string& path, const std::vector<std::string>& overrides);
Spec read_spec(const Table& document, const std::string& file);

/// The experiment that a record holds. Throws: IoError where its configuration cannot be read.
Spec recorded_spec(const std::string& configuration, const std::string& record);

/// Reads a table of the experiment into a spec, and puts it back with its defaults written out.
template <class T>
T read_resolved(Table& table, const char* path) {
  T spec;
  read_table(table, {path, ""}, spec);
  table = *to_value(spec).table();
  return spec;
}

/// The document with every default written out.
Table resolved(const Spec& spec);

/// A design laid over another. One of another kind has no use for the settings of the first and takes its place.
Table design_with(const Table& design, const Table& over);

/// The document of one contender of a comparison: its tables laid over the experiment's, its design by design_with.
Table with_overrides(const Table& document, const Table& contender);

}  // namespace hartline::loop
