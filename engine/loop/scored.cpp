#include "loop/scored.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "io/record_reader.hpp"
#include "loop/spec.hpp"

namespace hartline::loop {

Scored read_scored(const io::RecordReader& reader, const std::string& path) {
  const io::RecordInfo info = reader.info();
  const Spec spec = recorded_spec(info.configuration, path);
  if (spec.stimulus.kind != "variables" || !spec.model.find("response"))
    throw SpecError({path, "a record of a model written as text", "another", "Its likelihood and its prior are needed."});
  if (spec.subject.kind != "simulated")
    throw SpecError(
        {path, "a record of a simulated subject", "\"" + spec.subject.kind + "\"", "A score needs the true parameters."});
  const SubjectSpec& subject = spec.subject;
  if (subject.lapse > 0 || subject.overdispersion > 0 || subject.sorter_limit || subject.missing_share > 0 ||
      subject.drift_per_s > 0 || !subject.candidate.empty() || !subject.link.empty())
    throw SpecError({path, "a record of a subject that follows its model",
                     "one with lapses, over-dispersion, drift or lost responses",
                     "A score compares likelihoods of the model's text."});
  Scored out;
  out.text = std::make_shared<const models::EncodingText>(spec.stimulus.variables, spec.model);
  design::ScoredHistory& history = out.history;
  history.seed = info.seed;
  history.truth = spec.subject.values;
  if (spec.subject.truth != "values") {
    history.truth.resize(out.text->num_parameters);
    Stream stream(info.seed, Purpose::truth);
    out.text->draw_prior(stream, history.truth);
  }
  const std::size_t dim = out.text->stimulus_dim;
  const bool box = std::any_of(out.text->stimulus.begin(), out.text->stimulus.end(),
                               [](const models::TextStimulus& variable) { return variable.values.empty(); });
  const std::vector<double> pool = box ? std::vector<double>() : models::every_stimulus(out.text->stimulus);
  reader.for_each_trial([&](const Trial& trial, const io::TrialTimes&) {
    const Response& response = trial.response;
    const std::size_t num_responses = out.text->responses.size();
    if (!trial.answered || response.values.size() != num_responses) return;
    const bool whole = std::all_of(response.marks.begin(), response.marks.end(), [](Mark mark) { return mark == Mark::observed; });
    if (!whole && out.text->num_states > 0)
      throw SpecError({path, "a record without lost responses, for a model with states", fmt::format("trial {}", trial.index), ""});
    if (!whole) return;
    if (const auto* item = std::get_if<PoolItem>(&trial.delivered.stimulus.what)) {
      const auto first = pool.begin() + item->index * static_cast<std::int64_t>(dim);
      history.stimuli.insert(history.stimuli.end(), first, first + static_cast<std::int64_t>(dim));
    } else if (const auto* array = std::get_if<Array>(&trial.delivered.stimulus.what)) {
      history.stimuli.insert(history.stimuli.end(), array->values.begin(), array->values.end());
    } else {
      return;
    }
    history.responses.insert(history.responses.end(), response.values.begin(), response.values.end());
  });
  return out;
}

}  // namespace hartline::loop
