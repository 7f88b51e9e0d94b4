// Belief on a grid that follows the posterior, for a text of any law.
#pragma once

#include <set>
#include <string>

#include "models/text_model.hpp"

namespace hartline::models {

struct TextGridBelief final : SampleBelief {
  std::unique_ptr<Belief> fork() const override { return std::make_unique<TextGridBelief>(*this); }
  void replace_by(const Belief& other) override { *this = dynamic_cast<const TextGridBelief&>(other); }
  std::uint64_t digest() const override;

  std::vector<std::vector<double>> axes;  // [num_parameters] normal scores, ascending
  std::vector<double> log_prior;          // [num] of each node
  std::vector<double> log_joint;          // [num] the same and the log likelihood of everything
  std::vector<double> log_likelihood;     // [num] scratch: of the last response
  TextHistory history;
  bool told_border = false, told_coarse = false;
};

/// A product of values of each parameter. It starts at values of equal prior probability. Where mass piles up on a border that the
/// prior goes beyond, or few values of a parameter are left that matter, the axes are laid anew, evenly in the normal scores, over
/// what is probable, and the likelihood of the whole history is worked out there; every time is noted. What is probable is told
/// from a power of the likelihood wherever the nodes are too far apart for the likelihood itself. Mass that stays on a border, and
/// a posterior that is narrower than any grid's values are apart, are warned of.
/// (text_grid_test.cpp: TextGrid.FollowsThePosterior, TextGrid.FindsTruthsFarOut, TextGrid.SaysWhatItCannotFollow)
class TextGrid final : public TextModel {
 public:
  /// `num_values`: of each parameter of the text whose prior is continuous. `follow`: whether axes are ever laid anew.
  /// Throws: SpecError for more than a hundred million nodes.
  TextGrid(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values, bool follow, Executor& executor);

  std::unique_ptr<Belief> prior() const override;
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;

  /// Of values that lie on a line, a value stands for all up to the middles to its neighbours.
  double quantile(const SampleBelief& belief, std::size_t parameter_idx, double p) const override;

  bool follows() const { return follow_; }
  /// Of a parameter that lies on a line and takes any value.
  bool has_border(std::size_t parameter_idx) const {
    return !priors_[parameter_idx]->is_discrete() && priors_[parameter_idx]->period() == 0;
  }
  /// The lowest and the highest value of one parameter; of a correlated one at the middle of those that it depends on.
  std::pair<double, double> ends(const TextGridBelief& belief, std::size_t parameter_idx) const;
  /// Probability of each value of one parameter.
  std::vector<double> marginal(const TextGridBelief& belief, std::size_t parameter_idx) const;

 private:
  void lay(TextGridBelief& belief) const;
  bool has_equal_shares(const std::vector<double>& axis, std::size_t parameter_idx) const;
  void weigh(TextGridBelief& belief) const;
  std::vector<double> marginal(const TextGridBelief& belief, std::span<const double> weights, std::size_t parameter_idx) const;
  double effective_along(const TextGridBelief& belief, std::span<const double> weights, std::size_t parameter_idx) const;
  double temper(const TextGridBelief& belief, std::vector<double>& weights) const;
  bool can_move(const TextGridBelief& belief, std::size_t parameter_idx) const;
  bool lay_anew(TextGridBelief& belief, std::set<std::string>& widened, std::set<std::string>& narrowed) const;
  void follow(TextGridBelief& belief) const;

  std::vector<std::size_t> num_values_;  // of each number
  std::vector<const PriorLaw*> priors_;  // of each number
  bool follow_;
};

}  // namespace hartline::models
