// The utility of a stimulus under a belief by samples, and its gradient.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "design/design_spec.hpp"
#include "design/model_information.hpp"
#include "design/sample_information.hpp"
#include "design/stimulus_set.hpp"
#include "models/model.hpp"

namespace hartline::design {

/// Constant, shared by threads; what changes from choice to choice is in Prepared, what from stimulus to stimulus in Scratch.
///
///   mutual_information   I(θ; r)
///   target               I(g; r), g the groups of samples alike in the target: I(θ; r) - Σ_g p_g I(θ; r | g). A lower bound of the
///                        information about the target itself
///   model_information    I(m; r) of competing models, whose samples are the groups; by ModelInformation where their laws differ
///   parameter_variance   Σ_k (Var[θ_k] - E_r Var[θ_k | r])
///   prediction_error     mean over stimuli x' of Var[f(x')] - E_r Var[f(x') | r], f the expected first response, x' at most
///                        `num_averaged` stimuli spread over the pool, or drawn from the law of random stimuli of a box
///   posterior_variance, expected_response, upper_confidence    of the expected response
class SampleObjective {
 public:
  struct Part {                      // samples of one model
    std::vector<double> parameters;  // [num_parameters, num]
    std::size_t first = 0, num = 0;
  };
  struct Prepared {
    std::vector<Part> parts;
    std::vector<std::vector<double>> weights;  // [num_futures][num]
    std::vector<double> targets;               // [num_targets, samples of the belief] scratch
    std::vector<double> features;              // [num_features, num] whose variances are to fall
    std::vector<std::size_t> ends;             // of the groups, whose samples are together
    std::vector<std::pair<double, std::uint32_t>> order;
    std::size_t num = 0;
  };
  struct Scratch {
    SampleInformation::Scratch information;
    ModelInformation::Scratch of_models;
    std::vector<double> arguments, slopes, group_slopes, group_weights, group_divergences;
    double error = 0, limit = 0;  // of the last utility: its standard error, and what it cannot exceed; else 0 and infinity
  };

  static constexpr std::size_t num_averaged = 32;

  /// Throws: SpecError for a utility that a belief by samples has not.
  SampleObjective(const DesignSpec& spec, const StimulusSet& set, const models::SampleView& prior,
                  std::span<const std::string> parameter_names);

  /// For competing models. Throws: SpecError for beliefs that are not by samples, and for responses of different kinds.
  explicit SampleObjective(const models::CandidatesView& prior);

  /// Samples of negligible weight are left out: together less than 1e-9.
  void prepare(const models::Capability& belief, Prepared& prepared) const;

  /// About `num` samples in place of all, each drawn by its weight, for a first look; all where there are not many more.
  void thin(const Prepared& all, std::size_t num, Prepared& out) const;

  /// The utility of stimulus x; `gradient` [stimulus_dim] is set, or empty; `expected` is set to E[r], or null.
  double operator()(const Prepared& prepared, std::span<const double> x, Scratch& scratch, std::span<double> gradient,
                    double* expected) const;

  /// U under weights of its own [prepared.num], which sum to one, of a utility with a gradient; `by_weight` [prepared.num] is set
  /// to the derivative by a weight of W U where the weights sum to W.
  double under(const Prepared& prepared, std::span<const double> weights, std::span<const double> x, Scratch& scratch,
               std::span<double> gradient, std::span<double> by_weight) const;

  /// The utility under some of many weights, [][prepared.num]: those of the indices `which` [utility.size()].
  void each(const Prepared& prepared, std::span<const std::vector<double>> weights, std::span<const std::size_t> which,
            std::span<const double> x, Scratch& scratch, std::span<double> utility) const;

  /// Samples that are enough to compare stimuli by: 1,024; four times that where they fall into groups.
  std::size_t num_enough() const { return kind_ == Kind::target || kind_ == Kind::model_information ? 4096 : 1024; }

  bool has_gradient() const { return gradient_; }
  /// What samples as many as these can be told apart by at most, nats, where that is the utility; else infinity.
  double limit(const Prepared& prepared) const;
  /// Utilities are drawn, and have an error.
  bool has_error() const { return !is_of_response() && (information_.is_drawn() || is_fall() || of_models_); }

  /// Of the first model.
  const models::TextLikelihood& likelihood() const { return *likelihoods_[0]; }

 private:
  enum class Kind {
    mutual_information,
    target,
    model_information,
    parameter_variance,
    prediction_error,
    posterior_variance,
    expected_response,
    upper_confidence
  };
  void add(const models::SampleView& view, double weight, Prepared& prepared) const;
  void group(const models::SampleView& view, Prepared& prepared) const;
  void set_features(Prepared& prepared) const;
  void set_arguments(const Prepared& prepared, std::span<const double> x, Scratch& scratch, bool slopes) const;
  std::pair<double, double> response_moments(const Prepared& prepared, std::span<const std::vector<double>> weights,
                                             const Scratch& scratch) const;
  double of_response(const std::pair<double, double>& moments) const;
  bool is_of_response() const { return kind_ >= Kind::posterior_variance; }
  bool is_fall() const { return kind_ == Kind::parameter_variance || kind_ == Kind::prediction_error; }
  double fall(const Prepared& prepared, std::span<const double> weights, Scratch& scratch) const;
  double information(const Prepared& prepared, std::span<const double> weights, Scratch& scratch, bool slopes,
                     double* by_weight = nullptr) const;
  void add_gradient(const Prepared& prepared, double share, const Scratch& scratch, std::span<double> gradient) const;

  Kind kind_ = Kind::mutual_information;
  double kappa_;
  std::shared_ptr<const TargetFunctions> target_;           // null: another utility
  std::vector<double> averaged_;                            // [num, stimulus_dim] stimuli that prediction errors are of
  std::size_t groups_each_ = 1;                             // of each target
  std::vector<const models::TextLikelihood*> likelihoods_;  // of each model
  std::size_t num_arguments_;                               // of the model that has most
  SampleInformation information_;
  std::optional<ModelInformation> of_models_;  // of models whose laws differ
  bool gradient_;
};

}  // namespace hartline::design
