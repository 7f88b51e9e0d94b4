// Current clamp: a stimulus of numbers becomes a current over time.
#pragma once

#include <memory>
#include <optional>

#include "base/describe.hpp"
#include "instruments/actuator.hpp"

namespace hartline::instruments {

/// A table `actuator` of kind current_clamp.
struct CurrentClampSpec {
  std::string current = {};
  std::string shape = "steps";
  double segment_ms = 100;
  double onset_ms = 0;
  double holding = 0;
  std::optional<double> limit = {};
  double noise_sd = 0;
  double noise_ms = 3;
  std::int64_t noise_seed = 1;
  double delay_ms = 0;
  double cost = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("current", &CurrentClampSpec::current, "", required(), "port that is driven, as group.name; the stimulus is in its unit");
    field("shape", &CurrentClampSpec::shape, "", one_of({"steps", "ramps"}),
          "steps: each number of the stimulus is held; ramps: straight from each number to the next");
    field("segment_ms", &CurrentClampSpec::segment_ms, "ms", positive(), "from one number of the stimulus to the next");
    field("onset_ms", &CurrentClampSpec::onset_ms, "ms", non_negative(), "from the beginning of the trial to the first number");
    field("holding", &CurrentClampSpec::holding, "", any(), "current before and after, in the port's unit");
    field("limit", &CurrentClampSpec::limit, "", positive(), "largest magnitude that a stimulus may have, in the port's unit");
    field("noise_sd", &CurrentClampSpec::noise_sd, "", non_negative(), "of noise that is added while the stimulus lasts");
    field("noise_ms", &CurrentClampSpec::noise_ms, "ms", positive(), "time constant with which the noise is correlated");
    field("noise_seed", &CurrentClampSpec::noise_seed, "", between(0, 9e15),
          "of the noise, which is the same in every trial: frozen");
    field("delay_ms", &CurrentClampSpec::delay_ms, "ms", non_negative(), "from the choice of a stimulus to its trial");
    field("cost", &CurrentClampSpec::cost, "", non_negative(), "of a trial");
  }
};

/// The current of the step from t on is that of the protocol at t. Arbitrary samples are steps with a short segment.
/// (actuators_test.cpp: CurrentClamp.FollowsStepsAndRamps, actuators_test.cpp: CurrentClamp.NoiseIsFrozen)
/// The program must outlive it. Throws: SpecError; beginning a trial: SpecError for a stimulus that is no array or beyond the
/// limit.
std::unique_ptr<Actuator> make_current_clamp(const dynamics::Program& program, const CurrentClampSpec& spec,
                                             const std::string& path = "actuator");

}  // namespace hartline::instruments
