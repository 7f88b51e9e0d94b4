// The utility of a stimulus as a function of its values, with the gradient.
#pragma once

#include <span>
#include <vector>

#include "design/joint_utility.hpp"
#include "design/second_form.hpp"

namespace hartline::design {

/// U(x) under a Gaussian belief, of one response or of all that x reaches, and log E[r_j] for each of them.
///
///   s_j = placed x,  g_j = C s_j,  m_j = s_j·mean,  V_jk = s_j·g_k,  W_jk by SecondForm
///   ∂U/∂s_j = ∂U/∂m_j mean + 2 Σ_k (∂U/∂V_jk g_k + ∂U/∂W_jk B s_k), pulled back to x by lag
///
/// Tested by differences in gradient_search_test.cpp: GaussianObjective.GradientIsADifference
class GaussianObjective {
 public:
  GaussianObjective(const JointUtility& utility, const SecondForm& second, bool current_bin, const models::GaussianView& shape);

  struct Scratch {
    explicit Scratch(const GaussianObjective& of);
    JointScratch joint;
    SecondForm::Shared shared;
    std::vector<double> s, g, q, h, ds;    // [num_rows, dim]
    std::vector<double> m, dm;             // [num_rows]
    std::vector<double> v, w, dv, dw;      // [num_rows, num_rows]
    std::vector<double> log_count;         // [num_rows] log E[r_j]
    std::vector<double> count_m, count_v;  // [num_rows] its derivatives by m_j and V_jj
  };

  /// Once for a belief.
  void prepare(const models::GaussianView& view, Scratch& scratch) const { second_.prepare(view, scratch.shared); }

  /// U(x) and its gradient [stimulus_dim].
  double operator()(const models::GaussianView& view, std::span<const double> x, Scratch& scratch,
                    std::span<double> gradient) const;

  /// log E[r_j] of the x evaluated last, into scratch.log_count with its derivatives.
  void count(Scratch& scratch) const;
  /// gradient += Σ_j weight_j ∂ log E[r_j] / ∂x at the x evaluated last.
  void add_count_gradient(const models::GaussianView& view, std::span<const double> weight, Scratch& scratch,
                          std::span<double> gradient) const;

  /// out = Σ_j P_jᵀ C P_j x, P_j x the placed stimulus: its top eigenvector is where ρ varies most.
  void spread(const models::GaussianView& view, std::span<const double> x, Scratch& scratch, std::span<double> out) const;
  /// out = Σ_j P_jᵀ mean
  void mean_direction(const models::GaussianView& view, std::span<double> out) const;

  std::size_t num_rows() const { return num_rows_; }
  std::size_t stimulus_dim() const { return stimulus_dim_; }

 private:
  void place(const models::GaussianView& view, std::span<const double> x, std::size_t row, bool with_fixed, double* s) const;
  void pull(const models::GaussianView& view, std::size_t row, const double* ds, std::span<double> out) const;

  JointUtility utility_;
  SecondForm second_;
  std::size_t num_rows_, utility_rows_, dim_, stimulus_dim_;
};

}  // namespace hartline::design
