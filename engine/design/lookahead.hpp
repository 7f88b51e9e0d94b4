// Look-ahead: the stimulus whose expected utility, with that of the best stimuli after it, is largest.
#pragma once

#include <memory>

#include "design/design.hpp"
#include "design/imagination.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Over a pool, of the `spec.lookahead.width` members with the largest U,
///
///   V_d(x) = U(x) + E_y max_x' V_{d-1}(x')
///
/// At depth 2 the second stimulus is the best of all members under every answer that is imagined. Of mutual information it is found
/// without looking at all: as that is concave in the belief, p(y) U(x' | y) is at most U(x'), and members that fall short of the
/// best so far by this are passed over. Further on answers are drawn, the same random numbers for every member, and the best
/// one-step stimulus follows. From depth to depth only members that are not behind the best by more than twice the standard error
/// of the difference are looked into, and a member takes the place of the one-step choice only where its lead is larger than that
/// and than a fiftieth of the total, which the trials after these might turn. Nothing is thought of that comes after the last
/// trial. A unit of work is 8 members scored or one member looked into; a deadline leaves the best of those looked into so far, all
/// of which come after every member was scored for itself. Accuracy: total within 3e-3 nats of fine quadrature (lookahead_test.cpp:
/// Lookahead.FindsWhatIsWorthMoreTogether) Repeatable: same belief, trial and units give the same bytes, at any number of threads.
/// Reference: Foster et al. 2021, ICML, figure 4, for the case; Rollout: Bertsekas 2020
std::unique_ptr<Design> make_lookahead_design(const DesignSpec& spec, std::unique_ptr<Imagination> imagination,
                                              const StimulusSet& set, std::uint64_t seed, Executor& executor);

}  // namespace hartline::design
