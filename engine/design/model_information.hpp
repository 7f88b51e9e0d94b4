// What the response to one stimulus tells about which of several models is right, whatever their laws.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/text_law.hpp"

namespace hartline::design {

/// I(m; r) = Σ_m p_m E[log p(r | m) - log Σ_k p_k p(r | k)], p(r | m) the mean over samples of model m, by nested Monte Carlo:
/// `num_drawn` samples of each model stand for it, and each draws a response, the same random numbers for every stimulus. A
/// response on an end that a law has by itself (clipped, zero inflated) is impossible under laws that have none there. Accuracy: as
/// its standard error says    (sample_search_test.cpp: SampleObjective.TellsLawsApart)
class ModelInformation {
 public:
  static constexpr std::size_t num_drawn = 128;

  struct Scratch {
    std::vector<double> arguments, log_p, share;  // [num_models, num_drawn, most arguments], of one model, of each model
    std::vector<double> response, log_of_model;   // drawn; its probability under each model
    std::vector<std::uint8_t> at_end;             // whether each of the response is an end that its law has by itself
    std::vector<std::size_t> first;               // of every model's arguments
    double standard_error = 0;
  };

  /// The laws of each model's responses, as many for each model.
  explicit ModelInformation(std::vector<std::vector<models::LawPart>> laws) : laws_(std::move(laws)) {}

  /// Sample i of model m stands in column ends[m - 1] + i of `arguments` [most arguments, stride] and of `weights`, which sum to
  /// one. Throws: RunError for arguments that a law cannot have.
  double operator()(std::span<const double> weights, std::span<const std::size_t> ends, const double* arguments, std::size_t stride,
                    Scratch& scratch) const;

 private:
  std::vector<std::vector<models::LawPart>> laws_;  // [num_models][num_responses]
};

}  // namespace hartline::design
