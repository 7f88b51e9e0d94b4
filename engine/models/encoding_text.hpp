// An encoding model written as text: how a response depends on the stimulus and on parameters with priors.
//
//   [stimulus]
//   x = "range(-20, 20, 0.5) : deg"
//   [model]
//   response = "r ~ poisson(rate * window)"
//   rate = "b + A * exp(-(x - mu)^2 / (2 * sigma^2)) : Hz"
//   window = "100 ms"
//   [model.parameters]
//   mu = "uniform(-10, 10) : deg"
//
// Several responses of a trial, independent given stimulus and parameters:
//
//   response = ["choice ~ bernoulli(p)", "time ~ lognormal(m, 0.3)"]
//
// What is carried from trial to trial, its start and its next value, which may depend on the responses:
//
//   [model.state]
//   z = "1"
//   "z'" = "z + 0.1 * (r - z)"
//
// Correlations of the normal scores of parameters, which are those of normal priors themselves:
//
//   [model.correlations]
//   "mu, b" = 0.5
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/value.hpp"
#include "equations/program.hpp"
#include "models/family.hpp"
#include "models/prior_law.hpp"
#include "models/text_law.hpp"

namespace hartline::models {

/// A stimulus variable: what it may be, in its unit.
struct TextStimulus {
  std::string name;
  std::vector<std::size_t> shape;  // empty: one number
  Unit unit;
  std::string unit_text;
  std::vector<double> values;  // of each number; empty: anything from low to high
  double low = 0, high = 0;

  std::size_t num() const;
};

/// The variables of a table of names and texts. Throws: SpecError, UnitError.
std::vector<TextStimulus> read_variables(const Table& table);

/// Every combination of the values, the last running fastest: [num, stimulus_dim]. Throws: SpecError for a box and for too many.
std::vector<double> every_stimulus(const std::vector<TextStimulus>& variables);

/// A parameter and its prior, in its unit.
struct TextParameter {
  std::string name;
  std::vector<std::size_t> shape;
  std::string unit_text;
  PriorLaw prior;

  std::size_t num() const;
};

/// A response of a trial.
struct TextResponse {
  std::string name;
  const TextLaw* law = nullptr;
  std::size_t num_choices = 0;  // 0: it is none
};

/// A model's text, read and checked. The program's given values are the stimulus' variables, then the parameters, in order.
class EncodingText {
 public:
  /// `stimulus`: names and texts; `model`: response, named values and the table parameters.
  /// Throws: SpecError, UnitError, naming the place.
  EncodingText(const Table& stimulus, const Table& model);

  std::vector<TextStimulus> stimulus;
  std::vector<TextParameter> parameters;
  equations::Program written;  // with units
  equations::Program program;  // units erased, simplified; the arguments of choices are their probabilities
  std::vector<TextResponse> responses;
  std::vector<LawPart> laws;                                         // of the responses, with their arguments among all
  std::size_t stimulus_dim = 0, num_parameters = 0, num_states = 0;  // in numbers
  std::size_t num_arguments = 0;                                     // of all laws
  std::vector<std::string> unused;                                   // parameters that no response depends on

  /// The prior of one number.
  const PriorLaw& prior(std::size_t parameter_idx) const { return *priors_[parameter_idx]; }
  /// Draws the parameters from their priors, [num_parameters].
  void draw_prior(Stream& stream, std::span<double> parameters) const;

  /// Values of the parameters at normal scores, N(0, I) under the prior: both [num_parameters, stride], of which the first num of
  /// every row count. What is correlated has other scores: z_k becomes Σ_j≤k root_kj z_j.
  void from_scores(const double* scores, std::size_t stride, std::size_t num, double* parameters) const;
  /// Some response is a count with a rate that a gain can raise, as a binomial one is not.
  bool has_rates() const;
  bool is_correlated() const { return !roots_.empty(); }
  /// Row k of the root of the correlations: parameters j <= k and their coefficients. Empty: z_k alone.
  using Root = std::vector<std::pair<std::size_t, double>>;
  const Root& root(std::size_t k) const;

  EncodingText(const EncodingText&) = delete;
  EncodingText& operator=(const EncodingText&) = delete;

 private:
  void read_responses(equations::Scope& scope, const Value& value, const Table* states);
  const TextLaw* read_law(const equations::Scope& scope, const equations::Statement& statement, const equations::ResponseLine& line,
                          const std::string& path);
  void read_correlations(const Table& table);

  std::deque<TextLaw> made_;             // mixtures and censored laws
  std::vector<const PriorLaw*> priors_;  // of each number
  std::vector<Root> roots_;              // [num_parameters]; empty: no correlations
};

/// The parameter of each number: mu, or theta[1, 0].
std::vector<std::string> number_names(const std::string& name, const std::vector<std::size_t>& shape);

/// The text of a family that was made of one, or null.
const EncodingText* text_of(const Family& family);

/// Whether a grid has tables for the text: one response, a Poisson count or a choice, no state and no correlations.
bool has_tables(const EncodingText& text);

/// The family of a text whose response is a Poisson count or a choice. `num_values`: of each parameter whose prior is continuous.
/// Throws: SpecError for a response of another law.
std::unique_ptr<Family> make_family(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values);

}  // namespace hartline::models
