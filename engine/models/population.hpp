// Many cells that see the same stimulus: one generalised linear model each, and a gain that they may share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"
#include "models/glm.hpp"

namespace hartline {
class Executor;
}

namespace hartline::models {

/// The `model.population` table.
struct PopulationSpec {
  std::int64_t num_cells = 1;
  std::string aggregate = "sum";
  std::vector<double> weights = {};
  double shared_gain_sd = 0;
  std::int64_t vanish_after = 0;

  template <class Field>
  static void describe(Field&& field) {
    field("num_cells", &PopulationSpec::num_cells, "", at_least(1), "cells recorded together");
    field("aggregate", &PopulationSpec::aggregate, "", one_of({"sum", "weighted", "worst"}),
          "utility of a stimulus: the sum over the cells that are present, the sum with weights, or that of the present cell that "
          "learns least");
    field("weights", &PopulationSpec::weights, "", non_negative(), "of each cell in the utility, for aggregate weighted");
    field("shared_gain_sd", &PopulationSpec::shared_gain_sd, "", non_negative(),
          "standard deviation of a log gain that all cells share in a bin; 0: independent given stimulus and past");
    field("vanish_after", &PopulationSpec::vanish_after, "trials", non_negative(),
          "trials in a row without any value after which a cell counts as gone; 0: never");
  }
};

/// A cell came or went with the response `trial` (0-based, in the order in which the belief took them in).
struct Attendance {
  std::size_t cell = 0;
  std::int64_t trial = 0;
  bool present = false;
};

/// One Gaussian belief a cell; the context is one for all.
struct PopulationBelief final : Belief {
  std::unique_ptr<Belief> fork() const override { return std::make_unique<PopulationBelief>(*this); }
  void replace_by(const Belief& other) override;
  std::uint64_t digest() const override;

  std::vector<GaussianBelief> cells;  // [num_cells]; their own contexts are empty
  Context context;

  std::vector<std::uint8_t> present;      // [num_cells]
  std::vector<std::int64_t> num_without;  // [num_cells] trials in a row without a value
  std::int64_t num_trials = 0;            // taken in so far
  std::vector<Attendance> attendance;     // who came and went, in order

  // With a shared gain.
  std::vector<double> common;  // K [dim, dim]: covariance between the weights of any two cells
  double gain = 0;             // ŷ of the last bin

  // Scratch of an update.
  struct Row {
    double m = 0, v = 0;                // of ρ; with a shared gain v is the cell's own part of it, w
    double slope = 0, information = 0;  // of the cell's likelihood of y at ŷ
    double step = 0, curvature = 0;     // a and D at the mode of η given ŷ
    double log_evidence = 0;
    Mark mark = Mark::missing;  // of the value in this bin; missing for an absent cell's pending one
  };
  std::vector<Row> rows;                // [num_cells]
  std::vector<double> k, mixed;         // [dim]
  std::vector<double> seen;             // [num_cells]
  std::vector<Prediction> predictions;  // [num_cells, num_bins] of the last update

  // What a design sees, of the cells that are present.
  mutable std::vector<GaussianView> views;
  mutable std::vector<std::size_t> cell_idx;
  mutable std::vector<double> weights;
};

/// num_cells generalised linear models of one form and one prior. Without a shared gain
///
///   p(r_1 … r_n | x, past) = Π_c p(r_c | ρ_c),   ρ_c = s_cᵀθ_c
///
/// and each cell is updated as `Glm` updates one. This is exact only where the cells are independent given the stimulus and the
/// past that the predictors contain; fluctuations that cells share make such a belief too sure of itself.
///
/// With a shared gain (counts through exp only) the log rate of cell c in a bin is η_c = ρ_c + z, z ~ N(0, s²) anew in every bin.
/// What the gain hides is a change of all cells' weights together, so that errors of different cells go along with each other:
/// Cov(θ_c, θ_j) = K, the same for any two. With k = K s, κ = s·k, w_c = v_c - κ (at least v_c / 100) a bin is
///
///   η_c = m_c + y + e_c,   y ~ N(0, κ + s²) shared,   e_c ~ N(0, w_c)
///
/// ŷ maximises Σ_c [log p(r_c | m_c + y + ê_c) - ê_c²/2w_c - ½ log(1 + D_c w_c)] - y²/2(κ + s²), ê_c the mode given y, by Newton's
/// method; with P minus the second derivative, l_c = D_c/(1 + D_c w_c), a_c the slope at the mode and h = k/(κ + s²)
///
///   mean_c ← mean_c + ŷ h + a_c (g_c - k)         y, e_c after the response: variances 1/P, w_c/(1 + D_c w_c) + l_c² w_c²/P,
///   C_c ← Cov(θ_c | (y, e_c) as it is then)       covariance -l_c w_c/P
///   K ← K - (κ + s²) h hᵀ + (ḡ - h)(ḡ - h)ᵀ/P     ḡ = Σ_c l_c (g_c - k) / n
///
/// Predictors are those of the stimulus for K: with histories of their own that differ the cells do not share one s, and K is
/// followed along their mean. Without K, that is with errors that are taken as independent, a population soon believes to know the
/// gain, and with it the weights, far better than it does. half_logdet is not followed then.
/// Calibration: population_test.cpp: Population.SharedGainIsCalibratedWhereIndependenceIsNot
///
/// Who is there: every cell at the start. One leaves with the first response when that has no value of it (all are missing), and
/// later after `vanish_after` responses in a row without one; it comes back with the next value, as it left but for drift. With
/// vanish_after = 0 nobody leaves. The recorded responses alone determine this.
///
/// Marks: see Model::update; a pending response is pending (or blanked, or missing) in all its values.
/// Repeatable: the same bits at any number of threads    (population_test.cpp: Population.AnyNumberOfThreadsGivesTheSameBits)
class Population final : public Model {
 public:
  /// The executor must outlive the model. Throws: SpecError.
  Population(const GlmSpec& glm, const GaussianBeliefSpec& belief, const PopulationSpec& spec, std::size_t frame_dim,
             const Sequence& sequence, Executor& executor);

  std::unique_ptr<Belief> prior() const override;
  /// Allocates: nothing, but for more comings and goings than four a cell.
  Update update(Belief& belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const override;
  /// Each cell by itself, see Glm::refine. Throws: SpecError with a shared gain, for which there is none.
  void refine(Belief& belief, const History& history) const override;
  bool can_refine() const override { return glm_.can_refine() && !(spec_.shared_gain_sd > 0); }
  /// mean [num_stimuli, num_cells, num_bins]
  void predict(const Belief& belief, std::span<const double> stimuli, std::span<double> mean) const override;
  void summarise(const Belief& belief, std::span<double> mean, std::span<double> sd) const override;
  Context start() const override { return glm_.start(); }
  using Model::sample;
  /// parameters [num_cells, weights of one]; draws the shared gain too.
  void sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
              std::span<double> response) const override;
  /// Throws: RunError for more than one cell.
  double log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const override;
  /// PopulationView
  Capability capability(const Belief& belief) const override;

  const PopulationSpec& spec() const { return spec_; }
  /// The model of one cell among the others.
  const Glm& glm() const { return glm_; }

 private:
  template <class Body>
  void for_each_cell(Body&& body) const;
  void attend(PopulationBelief& belief, const Response& response) const;
  void share_gain(PopulationBelief& belief, std::span<const double> stimulus, const Response& response, std::size_t bin,
                  double& log_evidence) const;
  double find_gain(PopulationBelief& belief, const Response& response, std::size_t bin, double variance) const;

  PopulationSpec spec_;
  GlmSpec glm_spec_;
  GaussianBeliefSpec belief_spec_;
  Glm glm_;
  Executor& executor_;
};

}  // namespace hartline::models
