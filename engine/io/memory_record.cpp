#include "io/memory_record.hpp"

#include "base/error.hpp"

namespace hartline::io {

void MemoryRecord::decide(const Trial& trial) {
  Trial kept;
  copy_decision(trial, kept);
  if (!trials_.emplace(std::pair(trial.index, trial.attempt), std::move(kept)).second)
    throw InternalError("trial " + std::to_string(trial.index) + ", attempt " + std::to_string(trial.attempt) +
                        ", was decided twice.");
}

void MemoryRecord::observe(const Trial& trial) {
  const auto found = trials_.find({trial.index, trial.attempt});
  if (found == trials_.end())
    throw InternalError("trial " + std::to_string(trial.index) + ", attempt " + std::to_string(trial.attempt) +
                        ", was observed before it was decided.");
  Trial& kept = found->second;
  kept.rendered = trial.rendered;
  kept.delivered = trial.delivered;
  kept.response = trial.response;
  kept.answered = trial.answered;
  kept.log_evidence = trial.log_evidence;
}

void MemoryRecord::put(std::string_view name, std::int64_t num_trials, const Array& array) {
  arrays_[std::string(name)][num_trials] = array;
}

void MemoryRecord::put_latency(std::string_view stage, const Histogram& histogram) { latency_[std::string(stage)] = histogram; }

std::vector<Trial> MemoryRecord::trials() const {
  std::vector<Trial> out;
  for (const auto& [key, trial] : trials_) out.push_back(trial);
  return out;
}

std::vector<std::pair<std::int64_t, Array>> MemoryRecord::arrays(const std::string& name) const {
  const auto found = arrays_.find(name);
  if (found == arrays_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace hartline::io
