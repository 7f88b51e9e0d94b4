#include "models/trained_network.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "models/encoding_text.hpp"

namespace hartline::models {

std::string text_hash(const Table& stimulus, const Table& model) {
  Table whole, without = model;
  std::erase_if(without.items, [](const auto& item) { return item.first == "kind"; });
  whole.set("stimulus", stimulus);
  whole.set("model", without);
  return fmt::format("{:016x}", hash_bytes(to_toml(whole)));
}

NetworkShape shape_of(const TrainedNetwork& network, const EncodingText& text) {
  NetworkShape out;
  out.recurrent = network.recurrent;
  out.num_inputs = text.stimulus_dim + text.responses.size();
  out.encoder.assign(network.encoder.begin(), network.encoder.end());
  out.num_codes = static_cast<std::size_t>(network.num_codes);
  out.readout.assign(network.readout.begin(), network.readout.end());
  const std::size_t d = text.num_parameters;
  out.num_outputs =
      network.target == "policy" ? text.stimulus_dim : static_cast<std::size_t>(network.num_components) * (1 + d + d * (d + 1) / 2);
  out.num_trials = static_cast<std::size_t>(network.num_trials);
  return out;
}

void check_network(const TrainedNetwork& network, const EncodingText& text, const std::string& path) {
  const auto demand = [&](const char* what, std::size_t wanted, std::size_t got) {
    if (wanted != got) throw SpecError({path, fmt::format("a network with {} {}", wanted, what), fmt::format("{}", got), ""});
  };
  if (network.target == "posterior" && network.num_components < 1)
    throw SpecError({path, "a posterior with num_components >= 1", fmt::format("{}", network.num_components), ""});
  demand("stimulus_middle", text.stimulus_dim, network.stimulus_middle.size());
  demand("stimulus_range", text.stimulus_dim, network.stimulus_range.size());
  demand("response_mean", text.responses.size(), network.response_mean.size());
  demand("response_scale", text.responses.size(), network.response_scale.size());
  if (network.encoder.size() > 8 || network.readout.size() > 8)
    throw SpecError(
        {path, "a network of at most 8 layers", fmt::format("{}", std::max(network.encoder.size(), network.readout.size())), ""});
  demand("weights", shape_of(network, text).num_weights(), network.weights.size());
  for (const auto* numbers : {&network.weights, &network.stimulus_middle, &network.stimulus_range, &network.response_mean,
                              &network.response_scale, &network.momentum, &network.square, &network.best})
    for (const double x : *numbers)
      if (!std::isfinite(x)) throw SpecError({path, "a network of finite numbers", number_text(x), ""});
}

void scale_inputs(const TrainedNetwork& network, std::span<const double> stimulus, std::span<const double> responses,
                  std::size_t column, std::size_t stride, double* inputs) {
  for (std::size_t i = 0; i < stimulus.size(); ++i)
    inputs[i * stride + column] = (stimulus[i] - network.stimulus_middle[i]) / network.stimulus_range[i];
  for (std::size_t j = 0; j < responses.size(); ++j)
    inputs[(stimulus.size() + j) * stride + column] =
        std::isnan(responses[j]) ? 0 : (responses[j] - network.response_mean[j]) / network.response_scale[j];
}

}  // namespace hartline::models
