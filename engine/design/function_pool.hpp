// The best member of a pool under a Gaussian belief about a function of the stimulus.
#pragma once

#include <memory>
#include <vector>

#include "design/design.hpp"
#include "design/design_spec.hpp"

namespace hartline::design {

/// For models with a FunctionView: φ(x) ~ N(m, v), E[r | φ] = μ(φ), posterior covariance c(x, x') = K - VᵀV. LinearUtility's
/// utilities are those of (m, v); besides them, with `weights` p [num] (empty: all alike),
///
///   response_sd    √v μ'(m): uncertainty sampling of μ by the delta method
///   mmse           Σ_x' p(x') μ'(m(x'))² w c(x, x')² / (1 + w c(x, x)),  w = J(m(x)), the expected information:
///                  by how much a response at x lowers the variance of μ, summed over x' with the weights p
///
/// Units of work are 96 members for mmse, else 256. mmse costs num² num_visited; of the covariance only sums over tiles of 96 x 96
/// are kept, and each tile serves both sides of the diagonal. Ties go to the member that the seed prefers.
///
/// Accuracy: relative 1e-10    (function_pool_test.cpp: FunctionPool.MmseAgreesWithTheWholeCovariance)
///
/// Repeatable: at any number of threads    (function_pool_test.cpp: FunctionPool.ThreadsAndBudgetsDoNotChangeAChoice)
///
/// Throws: SpecError for another utility, for weights that are not one for each member, finite and >= 0, and for mmse over more
/// than GaussianProcess::max_members_whole members.
///
/// Reference: Park, Weller, Horwitz & Pillow 2014, Neural Computation 26:1519
std::unique_ptr<Design> make_function_pool_design(const DesignSpec& spec, const models::ResponseLaw& law, const StimulusSet& set,
                                                  std::uint64_t seed, Executor& executor, const std::vector<double>& weights = {});

}  // namespace hartline::design
