#include "models/text_likelihood.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace hartline::models {

using equations::Id;

TextLikelihood::TextLikelihood(std::shared_ptr<const EncodingText> text) : text_(std::move(text)), program_(text_->program) {
  equations::Graph& g = program_.graph;
  const std::vector<Id> arguments = program_.responses[0].arguments;
  response_ = g.add_symbol({"response", {}, {}, ""});
  std::vector<Id> outputs;
  if (text_->num_choices > 0) {
    for (const Id p : choice_probabilities(g, *text_->law, arguments, text_->num_choices))
      outputs.push_back(g.apply(equations::Op::log, p));
  } else {
    outputs = {log_density(g, *text_->law, arguments, g.symbol_value(response_))};
  }
  std::vector<bool> varies(g.num_symbols(), true);
  for (std::size_t k = 0; k < text_->stimulus.size(); ++k) varies[program_.given[k]] = false;
  varies[response_] = false;
  for (const Id output : outputs) kernels_.push_back(equations::make_kernel(g, {&output, 1}, varies));
}

void TextLikelihood::operator()(std::span<const double> stimulus, double response, std::span<const double> parameters,
                                std::size_t num, std::span<double> out) const {
  const bool choice = text_->num_choices > 0;
  if (choice && !(response >= 0 && response < static_cast<double>(text_->num_choices) && std::nearbyint(response) == response))
    throw RunError({"response", fmt::format("a choice, 0 … {}", text_->num_choices - 1), number_text(response), ""});
  if (!is_possible(*text_->law, response)) {
    std::fill_n(out.begin(), num, -std::numeric_limits<double>::infinity());
    return;
  }
  thread_local std::vector<equations::Input> inputs;
  inputs.assign(program_.graph.num_symbols(), {});
  const double* from = stimulus.data();
  for (std::size_t k = 0; k < text_->stimulus.size(); ++k) {
    inputs[program_.given[k]] = {from, 1, 0};
    from += text_->stimulus[k].num();
  }
  from = parameters.data();
  for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
    inputs[program_.given[text_->stimulus.size() + k]] = {from, num, 1};
    from += text_->parameters[k].num() * num;
  }
  inputs[response_] = {&response, 1, 0};
  double* to[] = {out.data()};
  kernels_[choice ? static_cast<std::size_t>(response) : 0]->run(inputs, num, to);
}

void TextLikelihood::draw_prior(std::uint64_t seed, Purpose purpose, std::uint64_t first, std::size_t num,
                                std::span<double> parameters) const {
  std::vector<double> one(text_->num_parameters);
  for (std::size_t i = 0; i < num; ++i) {
    Stream stream(seed, purpose, first + i);
    text_->draw_prior(stream, one);
    for (std::size_t k = 0; k < one.size(); ++k) parameters[k * num + i] = one[k];
  }
}

}  // namespace hartline::models
