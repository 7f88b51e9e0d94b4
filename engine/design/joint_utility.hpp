// What several responses to one stimulus are worth together under a Gaussian belief.
#pragma once

#include <cstddef>
#include <vector>

#include "design/gaussian_utility.hpp"

namespace hartline::design {

/// Scratch for up to num_rows responses.
struct JointScratch {
  explicit JointScratch(std::size_t rows)
      : num_rows(rows),
        matrix(rows * rows),
        inverse(rows * rows),
        product(rows * rows),
        t(rows),
        first(rows),
        second(rows),
        terms(rows) {}
  std::size_t num_rows;
  std::vector<double> matrix, inverse, product;  // [rows, rows]
  std::vector<double> t, first, second;          // [rows]
  std::vector<GaussianUtility::Terms> terms;     // [rows]
};

/// Joint information of responses whose predictors have covariance V [rows, rows] and which alone tell a_j >= 0:
///
///   ½ log det(I + D^½ V D^½) with ½ log(1 + D_j V_jj) = a_j
///     = Σ_j a_j + ½ log det T,   T_jj = 1,  T_jk = t_j t_k V_jk / √(V_jj V_kk),  t_j² = 1 - exp(-2 a_j)
///
/// One response gives a_1 exactly; nothing overflows. `da` [rows] and `dv` [rows, rows] (or null) are set to the derivatives, the
/// latter with dU = Σ_jk dv_jk δV_jk over all entries.
double joint_information(std::size_t rows, const double* a, const double* v, JointScratch& scratch, double* da = nullptr,
                         double* dv = nullptr);

/// Expected fall of tr(M C) by responses that alone shrink by e_j = E[D / (1 + D V_jj)], W_jk = g_jᵀ M g_k:
///
///   tr((D⁻¹ + V)⁻¹ W),   D_j / (1 + D_j V_jj) = e_j
double joint_reduction(std::size_t rows, const double* e, const double* v, const double* w, JointScratch& scratch,
                       double* de = nullptr, double* dv = nullptr, double* dw = nullptr);

/// The joint utility of the responses that a stimulus reaches: information and target by joint_information (target: of V less that
/// of W), reductions of variance by joint_reduction, others summed. Each response alone is worth its own GaussianUtility; one
/// response is worth exactly that.
/// Accuracy: derivatives agree with differences to 1e-6    (joint_utility_test.cpp: JointUtility.DerivativesAreDifferences)
class JointUtility {
 public:
  explicit JointUtility(const GaussianUtility& utility) : utility_(utility) {}
  const GaussianUtility& single() const { return utility_; }

  /// m [rows], v and w [rows, rows]; w is not read where the utility does not need it.
  double value(std::size_t rows, const double* m, const double* v, const double* w, JointScratch& scratch) const;

  /// And the derivatives dm [rows], dv, dw [rows, rows].
  double gradient(std::size_t rows, const double* m, const double* v, const double* w, JointScratch& scratch, double* dm,
                  double* dv, double* dw) const;

 private:
  GaussianUtility utility_;
};

}  // namespace hartline::design
