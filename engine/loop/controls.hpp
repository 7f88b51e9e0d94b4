// Controls of an experiment: arms, validation, when to stop, and what to watch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "design/design.hpp"

namespace hartline::loop {

/// One of `arms`: a design with a belief of its own. The arms share the cell, trial by trial.
struct ArmSpec {
  std::string name;
  double share = 1;
  std::string role = "auto";
  Table design;

  template <class Field>
  static void describe(Field&& field) {
    field("name", &ArmSpec::name, "", required(), "name of the arm");
    field("share", &ArmSpec::share, "", positive(), "share of the trials, relative to the other arms");
    field("role", &ArmSpec::role, "", one_of({"auto", "adaptive", "baseline"}), "how the page draws it; auto: by its design");
    field("design", &ArmSpec::design, "", any(), "what it overrides of the design");
  }
};

/// The `validation` table: a fixed set of stimuli, shown again and again, that no belief ever takes in.
struct ValidationSpec {
  double share = 0;
  std::int64_t num = 5;
  std::vector<std::int64_t> members;

  template <class Field>
  static void describe(Field&& field) {
    field("share", &ValidationSpec::share, "", between(0, 0.9), "share of the trials; 0: no validation");
    field("num", &ValidationSpec::num, "", at_least(1), "stimuli in the set, drawn by the law of the stimuli");
    field("members", &ValidationSpec::members, "", non_negative(), "members of the pool, instead of num");
  }
};

/// The `stop` table. A run ends at num_trials, or before, as soon as one of these holds.
struct StopSpec {
  std::optional<double> credible_width;
  std::string parameter;
  std::optional<double> minutes;

  template <class Field>
  static void describe(Field&& field) {
    field("credible_width", &StopSpec::credible_width, "", positive(),
          "stop when the 90 % credible interval of the parameter is at most this wide");
    field("parameter", &StopSpec::parameter, "", any(),
          "name of the parameter, or the index of a weight; absent: the widest of all");
    field("minutes", &StopSpec::minutes, "min", positive(), "stop when the delivered stimuli span this time");
  }
};

/// The `watch` table: the mismatch test and the warnings.
struct WatchSpec {
  bool on = true;
  double false_alarm = 0.01;
  std::int64_t window = 50;
  double repeat_share = 0.5;
  double edge_share = 0.5;
  double border_mass = 0.5;
  double stalled_nats = 1e-4;

  template <class Field>
  static void describe(Field&& field) {
    field("on", &WatchSpec::on, "", any(), "whether the run is watched");
    field("false_alarm", &WatchSpec::false_alarm, "", between(1e-6, 0.5),
          "largest probability that the mismatch test ever warns in a run whose model is right");
    field("window", &WatchSpec::window, "trials", at_least(5), "trials that the other warnings look back to");
    field("repeat_share", &WatchSpec::repeat_share, "", between(0, 1), "warn when one stimulus fills more than this share of them");
    field("edge_share", &WatchSpec::edge_share, "", between(0, 1), "warn when more than this share lie on the edge of the stimuli");
    field("border_mass", &WatchSpec::border_mass, "", between(0, 1), "warn when a parameter's border holds more of the belief");
    field("stalled_nats", &WatchSpec::stalled_nats, "nats", non_negative(),
          "warn when the information expected of the chosen stimuli stays below this; designs whose utility is not nats a trial (a "
          "variance or a response, per second, less a cost) never stall in this sense");
  }
};

}  // namespace hartline::loop
