#include "loop/subject.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace hartline::loop {

void Subject::recall(std::span<const double> values, const Trial& trial) {
  Trial again = trial;
  Answer answer;
  present(values, again);
  while (next_answer(true, answer)) continue;
}

Answer& AnswerQueue::add(std::int64_t due) {
  auto place = std::find_if(items_.begin(), items_.end(), [](const Item& item) { return !item.full; });
  if (place == items_.end()) place = items_.emplace(items_.end());
  place->due = due;
  place->order = num_added_++;
  place->full = true;
  return place->answer;
}

bool AnswerQueue::take(std::int64_t now, bool wait, Answer& out) {
  Item* first = nullptr;
  for (Item& item : items_)
    if (item.full && (wait || item.due <= now) && (!first || std::pair(item.due, item.order) < std::pair(first->due, first->order)))
      first = &item;
  if (!first) return false;
  out = first->answer;
  first->full = false;
  return true;
}

void present_and_wait(Subject& subject, std::span<const double> values, Trial& trial) {
  subject.present(values, trial);
  Answer answer;
  if (!subject.next_answer(true, answer)) throw InternalError("a subject has no answer.");
  trial.response = answer.response;
  trial.answered = true;
}

void show_as_requested(Trial& trial) {
  for (Presentation* station : {&trial.rendered, &trial.delivered}) {
    station->stimulus = trial.requested.stimulus;
    station->clock = trial.requested.clock;
    station->time_ns = trial.requested.time_ns;
  }
}

}  // namespace hartline::loop
