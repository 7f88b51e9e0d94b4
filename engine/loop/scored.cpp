#include "loop/scored.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/describe.hpp"
#include "base/error.hpp"
#include "io/json.hpp"
#include "io/record_reader.hpp"
#include "loop/spec.hpp"

namespace hartline::loop {

namespace {

/// What a lost response did to a state is not known.
void refuse_lost(const models::EncodingText& text, bool whole, const std::string& path, const std::string& where) {
  if (!whole && text.num_states > 0) throw SpecError({path, "without lost responses, for a model with states", where, ""});
}

}  // namespace

Scored read_scored(const io::RecordReader& reader, const std::string& path) {
  const io::RecordInfo info = reader.info();
  const Spec spec = recorded_spec(info.configuration, path);
  if (spec.stimulus.kind != "variables" || !spec.model.find("response"))
    throw SpecError({path, "a record of a model written as text", "another", "Its likelihood and its prior are needed."});
  if (spec.subject.kind != "simulated")
    throw SpecError(
        {path, "a record of a simulated subject", "\"" + spec.subject.kind + "\"", "A score needs the true parameters."});
  const SubjectSpec& subject = spec.subject;
  if (subject.lapse > 0 || subject.overdispersion > 0 || (subject.sorter_limit && subject.lost != "censored") ||
      subject.drift_per_s > 0 || !subject.candidate.empty() || !subject.link.empty())
    throw SpecError({path, "a record of a subject that follows its model",
                     "one with lapses, over-dispersion, drift or responses that were lost for what they are",
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
    const bool any = std::any_of(response.marks.begin(), response.marks.end(), models::has_value) || response.marks.empty();
    refuse_lost(*out.text, std::all_of(response.marks.begin(), response.marks.end(), models::has_value), path,
                fmt::format("trial {}", trial.index));
    if (!any) return;
    if (const auto* item = std::get_if<PoolItem>(&trial.delivered.stimulus.what)) {
      const auto first = pool.begin() + item->index * static_cast<std::int64_t>(dim);
      history.stimuli.insert(history.stimuli.end(), first, first + static_cast<std::int64_t>(dim));
    } else if (const auto* array = std::get_if<Array>(&trial.delivered.stimulus.what)) {
      history.stimuli.insert(history.stimuli.end(), array->values.begin(), array->values.end());
    } else {
      return;
    }
    for (std::size_t j = 0; j < num_responses; ++j) {
      const Mark mark = models::mark_of(response, j);
      history.responses.emplace_back(models::has_value(mark) ? response.values[j] : std::nan(""), mark == Mark::censored);
    }
  });
  return out;
}

namespace {

/// Numbers of a value that is one, or a list of them, one in another.
void flatten(const Value& value, std::vector<double>& out) {
  if (const List* list = value.list())
    for (const Value& one : *list) flatten(one, out);
  else if (const auto* real = std::get_if<double>(&value.is))
    out.push_back(*real);
  else if (const auto* whole = std::get_if<std::int64_t>(&value.is))
    out.push_back(static_cast<double>(*whole));
  else
    out.push_back(std::nan(""));
}

std::vector<double> numbers(const Value& value, std::size_t num, const std::string& path) {
  std::vector<double> out;
  flatten(value, out);
  if (out.size() != num || !std::all_of(out.begin(), out.end(), [](double x) { return std::isfinite(x); }))
    throw SpecError({path, num == 1 ? "a finite number" : fmt::format("{} finite numbers", num), display(value), ""});
  return out;
}

}  // namespace

std::vector<Scored> read_log(std::string_view lines, const Table& model, const std::string& path) {
  const Value *stimulus = model.find("stimulus"), *own = model.find("model");
  if (!stimulus || !stimulus->table() || !own || !own->table())
    throw SpecError({"--model", "a model written as text, with the tables stimulus and model", "another", ""});
  const auto text = std::make_shared<const models::EncodingText>(*stimulus->table(), *own->table());
  std::vector<std::string_view> known{"experiment"};
  for (const models::TextStimulus& one : text->stimulus) known.push_back(one.name);
  for (const models::TextResponse& one : text->responses) known.push_back(one.name);
  for (const models::TextParameter& one : text->parameters) known.push_back(one.name);
  std::vector<Scored> out;
  std::vector<std::string> names;  // of the experiments
  for (std::size_t line = 1; !lines.empty(); ++line) {
    const std::size_t end = lines.find('\n');
    const std::string_view one = lines.substr(0, end);
    lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 1);
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string at = fmt::format("{}:{}", path, line);
    const Value value = io::parse_json(one);
    if (!value.table()) throw SpecError({at, "a JSON object for a trial", display(value), ""});
    const Table& trial = *value.table();
    refuse_unknown(trial, {at, ""}, known);
    const Value* name = trial.find("experiment");
    const std::string experiment = name ? display(*name) : "";
    std::size_t e = 0;
    while (e < names.size() && names[e] != experiment) ++e;
    if (e == names.size()) {
      names.push_back(experiment);
      out.push_back({text, {}});
      out.back().history.seed = e + 1;
    }
    design::ScoredHistory& history = out[e].history;
    std::vector<double> truth = history.truth;
    std::size_t first = 0;
    for (const models::TextParameter& parameter : text->parameters) {
      const Value* given = trial.find(parameter.name);
      if (!given && history.truth.empty())
        throw SpecError({at + "." + parameter.name, "given: the true value, in the first line of an experiment", "nothing", ""});
      if (given) {
        const std::vector<double> values = numbers(*given, parameter.num(), at + "." + parameter.name);
        if (history.truth.empty())
          truth.insert(truth.end(), values.begin(), values.end());
        else if (!std::equal(values.begin(), values.end(), history.truth.begin() + static_cast<std::ptrdiff_t>(first)))
          throw SpecError({at + "." + parameter.name, "the same in all of an experiment", display(*given), ""});
      }
      first += parameter.num();
    }
    history.truth = std::move(truth);
    for (const models::TextStimulus& variable : text->stimulus) {
      const Value* given = trial.find(variable.name);
      if (!given) throw SpecError({at + "." + variable.name, "given: what was shown", "nothing", ""});
      const std::vector<double> values = numbers(*given, variable.num(), at + "." + variable.name);
      history.stimuli.insert(history.stimuli.end(), values.begin(), values.end());
    }
    bool whole = true;
    for (const models::TextResponse& response : text->responses) {
      const Value* given = trial.find(response.name);
      const Value* bound = given && given->table() ? given->table()->find("at_least") : nullptr;
      const bool missing = !given || std::holds_alternative<std::monostate>(given->is);
      whole = whole && !missing;
      history.responses.emplace_back(missing ? std::nan("") : numbers(bound ? *bound : *given, 1, at + "." + response.name)[0],
                                     bound != nullptr);
    }
    refuse_lost(*text, whole, path, fmt::format("line {}", line));
  }
  if (out.empty()) throw SpecError({path, "one trial or more, a JSON object a line", "none", ""});
  return out;
}

}  // namespace hartline::loop
