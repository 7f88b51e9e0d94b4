// Texts and responses for tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>

#include "models/encoding_text.hpp"
#include "models/model.hpp"

namespace hartline::models {

using TestLines = std::initializer_list<std::pair<const char*, const char*>>;

inline std::shared_ptr<const EncodingText> test_text(TestLines stimulus, const char* response, TestLines parameters) {
  Table variables, model, priors;
  for (const auto& [name, value] : stimulus) variables.set(name, value);
  for (const auto& [name, value] : parameters) priors.set(name, value);
  model.set("response", response);
  model.set("parameters", priors);
  return std::make_shared<const EncodingText>(variables, model);
}

inline Response test_response(const Model& model, double r, Mark mark = Mark::observed) {
  Response out;
  out.kind = model.response_kind;
  out.num_cells = out.num_bins = 1;
  out.values = {r};
  out.marks = {mark};
  return out;
}

}  // namespace hartline::models
