// Training by derivatives, with libtorch: of policies by what pulls at their stimuli, of posteriors by their likelihood.
#pragma once

#include <memory>

#include "design/ascent.hpp"
#include "design/train_spec.hpp"
#include "models/text_likelihood.hpp"

namespace hartline {
class Executor;
}

namespace hartline::design {

/// Policies: the mean sPCE of the step's rollouts and its gradient (history_gradient.hpp), carried back through all trials.
/// Posteriors: the mean log q(z | history) of the parameters' normal scores z, less log N(z; 0, I): the information that the network
/// has found, nats. Its histories have 1 … num_trials trials, each length as likely.
/// Blocks of rollouts are fixed, so a step has the same bytes at any number of threads.
/// (network_gradient_test.cpp: NetworkGradient.IsTheDifferenceOfScores, NetworkGradient.IsTheSameAtAnyNumberOfThreads)
/// Throws: SpecError for a text without the derivatives that a policy needs.
std::unique_ptr<Ascent> make_network_gradient(const models::TextLikelihood& likelihood, const models::TrainedNetwork& network,
                                              const TrainSpec& spec, Executor& executor);

}  // namespace hartline::design
