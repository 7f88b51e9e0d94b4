// The `train` table of an experiment: how a network is trained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/describe.hpp"

namespace hartline::design {

struct TrainSpec {
  std::string target = "policy";
  std::string method = "evolution";
  std::string order = "auto";
  std::vector<std::int64_t> encoder = {64, 64}, readout = {64};
  std::int64_t num_codes = 16;
  std::int64_t num_steps = 2000;
  std::optional<double> minutes;
  std::int64_t num_rollouts = 64;
  std::int64_t num_contrasts = 500;
  double learning_rate = 0.003;
  double most_pull = 1;
  std::optional<double> foresight;
  std::int64_t num_pairs = 16;
  double spread = 0.05;
  std::int64_t num_components = 8;
  std::string histories;
  std::int64_t seed = 1;
  double checkpoint_s = 30;

  template <class Field>
  static void describe(Field&& field) {
    field("target", &TrainSpec::target, "", one_of({"policy", "posterior"}),
          "policy: chooses stimuli; posterior: tells what the parameters may be");
    field("method", &TrainSpec::method, "", one_of({"evolution", "gradient"}),
          "evolution: by trying neighbours, from simulated experiments alone; gradient: by derivatives");
    field("order", &TrainSpec::order, "", one_of({"auto", "free", "kept"}),
          "of the trials; free: they are exchangeable; kept: the network is recurrent; auto: kept where the text has states");
    field("encoder", &TrainSpec::encoder, "", between(1, 4096), "units of the hidden layers that read a trial");
    field("num_codes", &TrainSpec::num_codes, "", between(1, 4096), "numbers that stand for the trials so far");
    field("readout", &TrainSpec::readout, "", between(1, 4096), "units of the hidden layers that read those");
    field("num_steps", &TrainSpec::num_steps, "", between(1, 1e9), "steps of training");
    field("minutes", &TrainSpec::minutes, "min", positive(),
          "time of training, in place of num_steps; the result then depends on the machine");
    field("num_rollouts", &TrainSpec::num_rollouts, "", between(2, 65536), "simulated experiments of a step");
    field("num_contrasts", &TrainSpec::num_contrasts, "", between(1, 1e6), "draws of the prior that a simulated experiment is scored by");
    field("learning_rate", &TrainSpec::learning_rate, "", positive(), "of Adam at the start; falls to 0 along a cosine");
    field("most_pull", &TrainSpec::most_pull, "", positive(),
          "of gradient: rollouts that pull harder than so many times the median are shortened to that");
    field("foresight", &TrainSpec::foresight, "", between(0, 1),
          "of gradient, where responses are choices: how much of what later trials make of a stimulus counts; 1: all of it, with much "
          "noise; absent: 0, each trial for itself");
    field("num_pairs", &TrainSpec::num_pairs, "", between(1, 4096), "of evolution: pairs of neighbours, w + e and w - e");
    field("spread", &TrainSpec::spread, "", positive(), "of evolution: standard deviation of each weight's change");
    field("num_components", &TrainSpec::num_components, "", between(1, 64), "of a posterior: normal laws that it is a mixture of");
    field("histories", &TrainSpec::histories, "", any(),
          "of a posterior: file of the policy that chooses the stimuli it is trained on; absent: they are random");
    field("seed", &TrainSpec::seed, "", non_negative(), "of the training");
    field("checkpoint_s", &TrainSpec::checkpoint_s, "s", positive(), "time after which what was reached is written down");
  }
};

}  // namespace hartline::design
