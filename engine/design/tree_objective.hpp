// The utility of a stimulus and of those after it, one for each response that may come, all at once.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "design/budget.hpp"
#include "design/futures.hpp"
#include "design/sample_objective.hpp"
#include "design/scratch_slots.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// A stimulus and, for each response that is imagined to it, the next. Where responses are pending the branches of each of their
/// futures follow each other.
struct Tree {
  std::vector<double> x;  // [dim]
  Futures::Nodes futures;
  std::vector<double> next;  // [num_branches, dim]

  // set by TreeObjective
  double now = 0, total = 0;
  std::vector<double> share;          // [num_branches] probability, sums to one
  std::vector<double> utility;        // [num_branches] of the next stimulus
  std::vector<double> gradient;       // [dim] of the total by x
  std::vector<double> next_gradient;  // [num_branches, dim] of each utility by its stimulus
  std::vector<double> by_sample;      // [num_samples] w_n ∂total / ∂w_n

  std::size_t num_branches() const { return share.size(); }
};

/// Over samples θ_n with weights w_n,
///
///   V(x, x'_1 … x'_F) = U(x; w) + Σ_f s_f(x) U(x'_f; w_f(x))
///   w_fn ∝ w_n p(y_f | θ_n, x),   s_f ∝ ω_f Σ_n w_n p(y_f | θ_n, x),   Σ_f s_f = 1
///
/// with y_f and ω_f of Futures. The largest V over all stimuli is what two trials give together (Jiang et al. 2020). Its gradient
/// by x goes through the weights of every branch, by those derivatives of U that SampleObjective::under gives. Accuracy: gradients
/// within 1e-6 of differences    (tree_search_test.cpp: TreeObjective.GradientsAreDifferences) Reference: Jiang, Chai, Gonzalez &
/// Garnett 2020, ICML, PMLR 119:4816
class TreeObjective {
 public:
  struct State {
    explicit State(int num_threads) : slots(num_threads) {}
    SampleObjective::Prepared samples;  // with the weights of each root: the belief, or its futures where responses are pending
    bool thinned = false;
    // scratch
    std::vector<std::vector<double>> branches;  // [num_branches][num] weights
    ScratchSlots<SampleObjective::Scratch> slots;
    std::vector<double> arguments;                              // [num_arguments (1 + dim), num]
    std::vector<std::vector<double>> likelihood, by_weight, c;  // [num_roots + num_branches][num]
    std::vector<double> p, slopes;                              // of each branch: its share, and 2 dim derivatives
    std::vector<double> utility;
    std::vector<std::size_t> index;  // 0, 1, …
  };

  TreeObjective(const SampleObjective& objective, std::size_t dim, std::size_t num_futures, Executor& executor);

  /// Takes about `num_samples` samples of a belief.
  void begin(State& state, const SampleObjective::Prepared& belief, std::size_t num_samples) const;

  /// Places the futures of tree.x. Next stimuli are kept by their response, if there were any.
  void place(State& state, Tree& tree) const;

  /// The next stimulus of every branch becomes the best of `places` [num, dim], or stays where `keep` and it is better; sets the
  /// total, no gradients. Returns false, and changes nothing, where a deadline came first.
  bool choose_next(State& state, Tree& tree, std::span<const double> places, bool keep, const Budget& budget) const;

  /// Sets what a tree has set. Repeatable: at any number of threads.
  void evaluate(State& state, Tree& tree) const;

  /// Standard error of the difference of two totals: both rest on the same samples, which were drawn from the belief. 0 where they
  /// are all of it.
  double error_of(const State& state, const Tree& a, const Tree& b) const;

 private:
  void branch(State& state, Tree& tree) const;

  SampleObjective objective_;
  Futures futures_;
  std::size_t dim_, num_futures_;
  Executor& executor_;
};

}  // namespace hartline::design
