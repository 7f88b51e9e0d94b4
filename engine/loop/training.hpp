// Training: a network from an experiment's text, step by step, written down so that a killed run goes on where it was.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/value.hpp"
#include "design/ascent.hpp"
#include "design/train_spec.hpp"
#include "models/text_likelihood.hpp"

namespace hartline {
class Executor;
}

namespace hartline::loop {

/// A network of a file, with its text read and both found to fit. `hash`: of the file's content.
struct NetworkOfFile {
  std::shared_ptr<const models::TrainedNetwork> network;
  std::shared_ptr<const models::EncodingText> text;
  std::string hash;
};

/// Bytes of a network and back. Throws: IoError for what is damaged or does not fit together, naming `path`.
std::string to_bytes(const models::TrainedNetwork& network);
NetworkOfFile network_from(std::string_view bytes, const std::string& path);
NetworkOfFile read_network(const std::string& path);

/// Reads a network that is to be used with a model. `key`: what names the file, for messages. Throws: SpecError for a network that
/// was trained on another text or with another target; IoError.
NetworkOfFile read_network_for(const std::string& path, const std::string& key, const std::string& target, const Table& stimulus,
                               const Table& model);

/// Everything that training needs; constant but for the network.
class Training {
 public:
  /// Begins with an experiment's document. `folder`: that relative paths are taken from. Throws: SpecError, IoError.
  Training(const Table& document, const std::string& file, const std::string& folder, Executor& executor);
  /// Goes on with a network whose training was not finished.
  Training(const NetworkOfFile& unfinished, Executor& executor);

  /// One step.
  void step();
  bool finished() const { return network_.finished; }
  /// Done and in all: steps, or seconds of a training by the clock.
  std::pair<std::int64_t, std::int64_t> progress() const;

  const models::TrainedNetwork& network() const { return network_; }
  const design::TrainSpec& spec() const { return spec_; }
  design::Ascent& ascent() { return *ascent_; }
  /// Takes a step whose gradient was estimated elsewhere.
  void take(std::span<const double> gradient, double score);

 private:
  void prepare();
  double share() const;

  design::TrainSpec spec_;
  models::TrainedNetwork network_;
  std::shared_ptr<const models::EncodingText> text_;
  std::unique_ptr<models::TextLikelihood> likelihood_;
  Executor& executor_;
  std::unique_ptr<design::Ascent> ascent_;
  std::int64_t begun_ns_ = 0;
  double seconds_before_ = 0;
};

/// Trains until it is finished or `stop` is set, and writes the network to `path` now and then and at the end; what an unfinished
/// training of the same experiment left there is gone on with (training_test.cpp: Training.GoesOnToTheSameBytes).
/// Throws: IoError where the file is one of another experiment or already finished.
models::TrainedNetwork train(const Table& document, const std::string& file, const std::string& folder, const std::string& path,
                             Executor& executor, const std::function<void(std::int64_t, std::int64_t)>& progress,
                             const std::atomic<bool>* stop);

}  // namespace hartline::loop
