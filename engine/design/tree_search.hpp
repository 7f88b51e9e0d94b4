// Look-ahead over a box: the stimulus that is worth most together with the best after it.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/sample_objective.hpp"

namespace hartline::design {

/// Two trials are thought of together: the largest V of TreeObjective.
///
/// The one-step search comes first, and only what is left of the budget is thought ahead. The `spec.lookahead.width` best stimuli
/// that it came upon, no two alike, become first stimuli of trees, each with the best of 16 such stimuli after every response. The
/// three most promising climb by projected gradients, all stimuli of a tree at once; coordinates with levels stay. Between rounds
/// of steps futures are placed anew, and what follows may move to stimuli not tried yet. Beside them the one-step choice keeps its
/// stimulus and improves what follows in as many steps, so that what is compared was sought alike. Another stimulus takes its place
/// only where its total is ahead by more than twice the standard error of the difference, and, where more trials follow, by more
/// than a fiftieth. A unit of work is one utility of the one-step search, then one tree begun, then one evaluation of a tree with
/// its gradients. Accuracy: within 3e-3 nats of fine quadrature in one dimension    (tree_search_test.cpp:
/// TreeSearch.FindsWhatIsWorthMoreTogether) Repeatable: same belief, trial and units give the same bytes, at any number of threads.
/// Throws: SpecError for a depth above 2, texts with states, several responses, and laws or utilities without a gradient.
std::unique_ptr<Design> make_tree_search(const DesignSpec& spec, const SampleObjective& objective, const StimulusSet& set,
                                         std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
