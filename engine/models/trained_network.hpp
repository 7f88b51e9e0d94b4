// A network as training leaves it: its model's text, sizes, scales, weights, and how it came about.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "models/history_network.hpp"
#include "models/response_law.hpp"

namespace hartline::models {

class EncodingText;

/// The header of a file of weights; the numbers stand beside it.
struct TrainedNetwork {
  std::string target;
  std::string model_hash;
  Table stimulus, model;
  std::int64_t num_trials = 1;
  bool recurrent = false;
  std::vector<std::int64_t> encoder, readout;
  std::int64_t num_codes = 1, num_components = 0;
  std::vector<double> stimulus_middle, stimulus_range;
  std::vector<double> response_mean, response_scale;
  Table train;
  std::int64_t seed = 1, num_steps = 0;
  bool finished = false;
  double seconds = 0;
  std::vector<double> curve_steps, curve;
  double score_sum = 0, score_count = 0;
  std::int64_t num_falls = 0;
  double best_score = 0;

  std::vector<double> weights;
  // Of an unfinished training; else empty.
  std::vector<double> momentum, square;  // running means of the gradient and of its square
  std::vector<double> best;              // weights of the best note so far

  template <class Field>
  static void describe(Field&& field) {
    using Self = TrainedNetwork;
    field("target", &Self::target, "", required(one_of({"policy", "posterior"})), "what it tells");
    field("model_hash", &Self::model_hash, "", required(), "of stimulus and model");
    field("stimulus", &Self::stimulus, "", required(), "variables of the model that it was trained on");
    field("model", &Self::model, "", required(), "text of the model that it was trained on");
    field("num_trials", &Self::num_trials, "", required(between(1, 1e6)), "trials of an experiment that it was trained for");
    field("recurrent", &Self::recurrent, "", required(), "whether the order of the trials matters");
    field("encoder", &Self::encoder, "", required(between(1, 4096)), "units of the encoder's hidden layers");
    field("num_codes", &Self::num_codes, "", required(between(1, 4096)), "numbers that stand for a trial");
    field("readout", &Self::readout, "", required(between(1, 4096)), "units of the readout's hidden layers");
    field("num_components", &Self::num_components, "", between(0, 64), "normal laws that a posterior is a mixture of");
    field("stimulus_middle", &Self::stimulus_middle, "", required(), "of the range of each value of a stimulus");
    field("stimulus_range", &Self::stimulus_range, "", required(positive()), "half of that range");
    field("response_mean", &Self::response_mean, "", required(), "of responses to random stimuli under the prior");
    field("response_scale", &Self::response_scale, "", required(positive()), "their standard deviation");
    field("train", &Self::train, "", any(), "the table by which it was trained");
    field("seed", &Self::seed, "", non_negative(), "of the training");
    field("num_steps", &Self::num_steps, "", non_negative(), "steps of training done");
    field("finished", &Self::finished, "", any(), "whether training came to its end");
    field("seconds", &Self::seconds, "s", non_negative(), "time that training took");
    field("curve_steps", &Self::curve_steps, "", any(), "steps after which the score was noted");
    field("curve", &Self::curve, "nats", any(), "mean score of the steps since the note before");
    field("score_sum", &Self::score_sum, "nats", any(), "scores since the last note");
    field("score_count", &Self::score_count, "", any(), "how many they are");
    field("num_falls", &Self::num_falls, "", non_negative(), "how often the score fell and the best weights were taken again");
    field("best_score", &Self::best_score, "nats", any(), "best note so far");
  }
};

/// Hash of a model's text: its stimulus variables and its table without `kind`, as texts.
std::string text_hash(const Table& stimulus, const Table& model);

/// Sizes of the network for a text. A posterior of d parameters and K components tells of each a weight, d means and the
/// d (d + 1) / 2 numbers of the inverse root of its covariance.
NetworkShape shape_of(const TrainedNetwork& network, const EncodingText& text);

/// Throws: SpecError where sizes, scales or weights do not fit the text or each other, naming `path`.
void check_network(const TrainedNetwork& network, const EncodingText& text, const std::string& path);

/// One trial as a network reads it, in column `column` of inputs [num_inputs, stride]: every number of the stimulus from -1 to 1, every
/// response in standard deviations from its mean. A response that is not a number is read as its mean.
void scale_inputs(const TrainedNetwork& network, std::span<const double> stimulus, std::span<const double> responses, std::size_t column,
                  std::size_t stride, double* inputs);

}  // namespace hartline::models
