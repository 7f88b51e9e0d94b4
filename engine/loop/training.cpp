#include "loop/training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/threads.hpp"
#include "design/evolution.hpp"
#include "design/policy_gradient.hpp"
#include "design/posterior_gradient.hpp"
#include "io/file.hpp"
#include "io/network_file.hpp"
#include "loop/spec.hpp"
#include "loop/stimuli.hpp"
#include "models/encoding_text.hpp"

namespace hartline::loop {

namespace {

using models::TrainedNetwork;

constexpr int num_notes = 50;  // of the score

/// The train table by which a network was trained.
design::TrainSpec spec_of(const TrainedNetwork& network) {
  design::TrainSpec out;
  read_table(network.train, {"train", ""}, out);
  return out;
}

/// The network before its first step.
TrainedNetwork begin(const Spec& spec, const design::TrainSpec& train, const models::EncodingText& text) {
  TrainedNetwork out;
  out.target = train.target;
  out.stimulus = spec.stimulus.variables;
  out.model = spec.model;
  out.model_hash = models::text_hash(out.stimulus, out.model);
  out.num_trials = spec.num_trials;
  out.recurrent = train.order == "kept" || (train.order == "auto" && text.num_states > 0);
  if (train.order == "free" && text.num_states > 0)
    throw SpecError(
        {"train.order", "auto or kept for a text with states", "\"free\"", "What is carried from trial to trial has an order."});
  out.encoder = train.encoder;
  out.readout = train.readout;
  out.num_codes = train.num_codes;
  out.num_components = train.target == "posterior" ? train.num_components : 0;
  out.train = *to_value(train).table();
  out.seed = train.seed;
  return out;
}

}  // namespace

std::string to_bytes(const TrainedNetwork& network) {
  io::NetworkFile file{*to_value(network).table(), network.weights};
  file.numbers.insert(file.numbers.end(), network.momentum.begin(), network.momentum.end());
  file.numbers.insert(file.numbers.end(), network.square.begin(), network.square.end());
  file.numbers.insert(file.numbers.end(), network.best.begin(), network.best.end());
  return io::network_bytes(file);
}

NetworkOfFile network_from(std::string_view bytes, const std::string& path) {
  io::NetworkFile file = io::parse_network(bytes, path);
  auto network = std::make_shared<TrainedNetwork>();
  NetworkOfFile out;
  try {
    read_table(file.header, {"", path}, *network);
    if (models::text_hash(network->stimulus, network->model) != network->model_hash)
      throw SpecError({"model_hash", "that of the model", network->model_hash, ""});
    out.text = std::make_shared<const models::EncodingText>(network->stimulus, network->model);
    const std::size_t num = models::shape_of(*network, *out.text).num_weights();
    if (file.numbers.size() != num && file.numbers.size() != 3 * num && file.numbers.size() != 4 * num)
      throw SpecError({"weights", fmt::format("{} numbers", num), fmt::format("{}", file.numbers.size()), ""});
    const auto part = [&](std::size_t k) {
      const auto first = file.numbers.begin() + static_cast<std::ptrdiff_t>(k * num);
      return std::vector<double>(first, first + static_cast<std::ptrdiff_t>(num));
    };
    network->weights = part(0);
    if (file.numbers.size() > num) {
      network->momentum = part(1);
      network->square = part(2);
    }
    if (file.numbers.size() > 3 * num) network->best = part(3);
    models::check_network(*network, *out.text, "network");
    spec_of(*network);
  } catch (const SpecError& error) {
    throw IoError({path, "an intact network", "one that does not fit together", error.what()});
  }
  out.network = std::move(network);
  out.hash = io::network_hash(bytes);
  return out;
}

NetworkOfFile read_network(const std::string& path) { return network_from(io::read_text(path), path); }

NetworkOfFile read_network_for(const std::string& path, const std::string& key, const std::string& target, const Table& stimulus,
                               const Table& model) {
  NetworkOfFile out = read_network(path);
  if (out.network->target != target)
    throw SpecError({key, fmt::format("a network trained with target {}", target), "one of target " + out.network->target, path});
  const std::string hash = models::text_hash(stimulus, model);
  if (out.network->model_hash != hash)
    throw SpecError({key, "trained on this experiment's stimulus and model tables", "one trained on others",
                     fmt::format("Train it anew: hartline train. ({} was trained on {}, this text is {}.)", path,
                                 out.network->model_hash, hash)});
  return out;
}

Training::Training(const Table& document, const std::string& file, const std::string& folder, Executor& executor)
    : executor_(executor) {
  const Spec spec = read_spec(document, file);
  if (!spec.train)
    throw SpecError({"train", "a table", "nothing", "It says how the network is trained; [train] alone takes the defaults."});
  spec_ = *spec.train;
  spec_.histories = in_folder(folder, spec_.histories);
  if (spec.stimulus.kind != "variables" || !spec.model.find("response"))
    throw SpecError({"model", "one written as text", "another", "Networks are trained on experiments that the text simulates."});
  text_ = std::make_shared<const models::EncodingText>(spec.stimulus.variables, spec.model);
  network_ = begin(spec, spec_, *text_);
  prepare();
}

Training::Training(const NetworkOfFile& unfinished, Executor& executor)
    : spec_(spec_of(*unfinished.network)), network_(*unfinished.network), text_(unfinished.text), executor_(executor) {
  prepare();
}

void Training::prepare() {
  likelihood_ = std::make_unique<models::TextLikelihood>(text_);
  if (network_.weights.empty()) design::begin_network(*likelihood_, network_);
  if (spec_.target == "posterior" && spec_.method == "evolution")
    throw SpecError({"train.method", "gradient for a posterior", "\"evolution\"", ""});
  if (spec_.target == "policy" && !spec_.histories.empty())
    throw SpecError(
        {"train.histories", "left out for a policy", "\"" + spec_.histories + "\"", "It is used by target posterior only."});
  std::shared_ptr<const TrainedNetwork> chooser;
  if (!spec_.histories.empty())
    chooser = read_network_for(spec_.histories, "train.histories", "policy", network_.stimulus, network_.model).network;
  if (spec_.target == "posterior")
    ascent_ = std::make_unique<design::PosteriorGradient>(*likelihood_, network_, spec_, std::move(chooser), executor_);
  else if (spec_.method == "evolution")
    ascent_ = std::make_unique<design::Evolution>(*likelihood_, network_, spec_, executor_);
  else
    ascent_ = std::make_unique<design::PolicyGradient>(*likelihood_, network_, spec_, executor_);
  seconds_before_ = network_.seconds;
  begun_ns_ = SteadyClock().now_ns();
}

double Training::share() const {
  return spec_.minutes ? network_.seconds / (60 * *spec_.minutes)
                       : static_cast<double>(network_.num_steps) / static_cast<double>(spec_.num_steps);
}

std::pair<std::int64_t, std::int64_t> Training::progress() const {
  if (!spec_.minutes) return {network_.num_steps, spec_.num_steps};
  return {static_cast<std::int64_t>(network_.seconds), static_cast<std::int64_t>(std::ceil(60 * *spec_.minutes))};
}

void Training::step() {
  std::vector<double> gradient(network_.weights.size());
  const double score = ascent_->estimate(network_.weights, static_cast<std::uint64_t>(network_.num_steps) + 1, gradient);
  // a training by steps ends with the same bytes whenever it runs, so its time is not among them
  if (spec_.minutes) network_.seconds = seconds_before_ + static_cast<double>(SteadyClock().now_ns() - begun_ns_) * 1e-9;
  take(gradient, score);
}

void Training::take(std::span<const double> gradient, double score) {
  const double before = share();
  const double start = std::ldexp(spec_.learning_rate, -static_cast<int>(network_.num_falls));
  design::take_step(network_, gradient, design::falling_rate(start, before), score);
  const double after = share();
  if (std::floor(num_notes * after) > static_cast<double>(network_.curve.size()) || after >= 1) design::note_score(network_);
  if (after < 1) return;
  network_.finished = true;
  network_.momentum.clear();
  network_.square.clear();
  network_.best.clear();
}

TrainedNetwork train(const Table& document, const std::string& file, const std::string& folder, const std::string& path,
                     Executor& executor, const std::function<void(std::int64_t, std::int64_t)>& progress,
                     const std::atomic<bool>* stop) {
  auto training = std::make_unique<Training>(document, file, folder, executor);
  if (std::filesystem::exists(path)) {
    const NetworkOfFile found = read_network(path);
    if (found.network->finished)
      throw IoError(
          {path, "a new file, or a training that is not finished", "a finished one", "Remove it or name another with --out."});
    const TrainedNetwork& begun = training->network();
    if (found.network->model_hash != begun.model_hash || !(found.network->train == begun.train) ||
        found.network->num_trials != begun.num_trials)
      throw IoError({path, "a training of this experiment", "one with another model or train table",
                     "Remove it or name another with --out."});
    training = std::make_unique<Training>(found, executor);
  }
  const SteadyClock clock;
  std::int64_t written_ns = clock.now_ns();
  while (!training->finished() && !(stop && *stop)) {
    training->step();
    if (progress) progress(training->progress().first, training->progress().second);
    if (static_cast<double>(clock.now_ns() - written_ns) * 1e-9 < training->spec().checkpoint_s) continue;
    io::write_text(path, to_bytes(training->network()));
    written_ns = clock.now_ns();
  }
  io::write_text(path, to_bytes(training->network()));
  return training->network();
}

}  // namespace hartline::loop
