#include "loop/subject.hpp"

#include <cmath>

namespace hartline::loop {

void answer_as_requested(Trial& trial, const char* clock, double trial_ms, ResponseKind kind, double value) {
  trial.rendered.stimulus = trial.requested.stimulus;
  trial.delivered.stimulus = trial.requested.stimulus;
  const auto time_ns = static_cast<std::int64_t>(std::llround(trial_ms * 1e6 * static_cast<double>(trial.index)));
  for (Presentation* station : {&trial.requested, &trial.rendered, &trial.delivered}) {
    station->clock.assign(clock);
    station->time_ns = time_ns;
  }
  trial.response.kind = kind;
  trial.response.num_cells = trial.response.num_bins = 1;
  trial.response.values.assign(1, value);
  trial.response.marks.assign(1, Mark::observed);
  trial.answered = true;
}

}  // namespace hartline::loop
