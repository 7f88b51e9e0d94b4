#include "loop/stimuli.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "io/npy.hpp"
#include "loop/experiment.hpp"
#include "models/encoding_text.hpp"

namespace hartline::loop {

namespace {

constexpr std::int64_t max_dim = 4096;  // of a stimulus

/// Every point of the axes, the last running fastest.
void fill_grid(Experiment& e, const StimulusSpec& s) {
  if (s.axes.empty()) throw SpecError({"stimulus.axes", "given for this kind, one table an axis", "nothing", ""});
  std::vector<std::vector<double>> axes;
  std::size_t num = 1;
  e.shape.clear();
  for (std::size_t k = 0; k < s.axes.size(); ++k) {
    axes.push_back(s.axes[k].points(fmt::format("stimulus.axes[{}]", k)));
    e.shape.push_back(static_cast<std::int64_t>(axes.back().size()));
    num *= axes.back().size();
    if (num > 1000000) throw SpecError({"stimulus.axes", "at most 1000000 points in all", fmt::format("{} and more", num), ""});
  }
  e.stimuli.dim = axes.size();
  e.stimuli.pool.resize(num * axes.size());
  for (std::size_t i = 0; i < num; ++i) {
    std::size_t rest = i;
    for (std::size_t k = axes.size(); k-- > 0; rest /= axes[k].size())
      e.stimuli.pool[i * axes.size() + k] = axes[k][rest % axes[k].size()];
  }
}

/// Every combination of the variables' values; where one may be anything in between, a box.
void fill_variables(Experiment& e) {
  const std::vector<models::TextStimulus> variables = models::read_variables(e.spec.stimulus.variables);
  design::StimulusSet& set = e.stimuli;
  set.dim = 0;
  bool box = false, levels = false;
  for (const models::TextStimulus& variable : variables) {
    set.dim += variable.num();
    (variable.values.empty() ? box : levels) = true;
  }
  e.shape = {static_cast<std::int64_t>(set.dim)};
  if (set.dim == 1) {
    if (e.spec.stimulus.label.empty()) e.spec.stimulus.label = variables[0].name;
    if (e.spec.stimulus.unit.empty()) e.spec.stimulus.unit = variables[0].unit_text;
  }
  if (!box) {
    set.pool = models::every_stimulus(variables);
    return;
  }
  set.shape = design::SetKind::box;
  for (const models::TextStimulus& variable : variables)
    for (std::size_t k = 0; k < variable.num(); ++k) {
      std::vector<double> values = variable.values;
      std::sort(values.begin(), values.end());
      if (!values.empty() && values.front() == values.back())
        throw SpecError({"stimulus." + variable.name, "values that differ, beside a box", number_text(values.front()), ""});
      set.low.push_back(values.empty() ? variable.low : values.front());
      set.high.push_back(values.empty() ? variable.high : values.back());
      if (levels) set.levels.push_back(values);
    }
}

}  // namespace

std::string in_folder(const std::string& folder, const std::string& path) {
  return path.empty() || path[0] == '/' || folder.empty() ? path : folder + "/" + path;
}

void build_stimuli(Experiment& e, const std::string& folder) {
  const StimulusSpec& s = e.spec.stimulus;
  design::StimulusSet& set = e.stimuli;
  e.shape = s.shape;
  if (e.recording && s.kind != "recorded")
    throw SpecError({"stimulus.kind", "recorded for a recorded subject", "\"" + s.kind + "\"", ""});
  if (s.kind == "recorded") {
    if (!e.recording)
      throw SpecError({"stimulus.kind", "ball, random_pool, file or axis for a simulated subject", "\"recorded\"", ""});
    e.shape = e.recording->shape;
    e.spec.stimulus.num_frames = static_cast<std::int64_t>(e.recording->num_frames);
    e.spec.stimulus.isolated = true;
    set.dim = e.recording->dim;
    const auto row = static_cast<std::int64_t>(set.dim);
    set.pool.assign(e.recording->stimuli.begin() + e.recording->pool_first * row,
                    e.recording->stimuli.begin() + e.recording->pool_last * row);
    set.once = true;
  } else if (s.kind == "axis") {
    set.pool = s.axis.points("stimulus.axis");
    set.dim = 1;
    e.shape = {1};
  } else if (s.kind == "grid") {
    fill_grid(e, s);
  } else if (s.kind == "variables") {
    fill_variables(e);
  } else if (s.kind == "file") {
    e.spec.stimulus.file = in_folder(folder, s.file);
    Array array = io::read_npy(s.file);
    if (array.shape.size() < 2)
      throw SpecError({"stimulus.file", "an array [num, dim]", fmt::format("{} dimensions", array.shape.size()), s.file});
    e.shape.assign(array.shape.begin() + 1, array.shape.end());
    set.dim = array.values.size() / static_cast<std::size_t>(array.shape[0]);
    for (std::size_t i = 0; i < array.values.size(); ++i)
      if (!std::isfinite(array.values[i]))
        throw SpecError({fmt::format("stimulus.file[{}]", i / set.dim), "finite", number_text(array.values[i]), s.file});
    set.pool = std::move(array.values);
  } else {
    if (s.shape.empty()) throw SpecError({"stimulus.shape", "given for this kind, for example [8, 8]", "nothing", ""});
    set.dim = 1;
    for (std::int64_t n : s.shape) {
      if (n > max_dim || set.dim * static_cast<std::size_t>(n) > max_dim)
        throw SpecError({"stimulus.shape", fmt::format("at most {} values", max_dim), display(to_value(s.shape)), ""});
      set.dim *= static_cast<std::size_t>(n);
    }
    set.dim *= static_cast<std::size_t>(s.num_frames);
    set.power = s.power;
    if (s.low.has_value() != s.high.has_value() || (s.low && !(*s.high > *s.low)))
      throw SpecError({"stimulus.high", "given with low, and above it", s.high ? number_text(*s.high) : "nothing", ""});
    if (s.low) {
      set.low = {*s.low};
      set.high = {*s.high};
    }
    set.shape = s.kind == "box" ? design::SetKind::box : s.low ? design::SetKind::ball_in_box : design::SetKind::ball;
    if (s.kind == "box" && !s.low) throw SpecError({"stimulus.low", "given for a box, with high", "nothing", ""});
    if (s.kind == "random_pool") {
      set.pool.resize(static_cast<std::size_t>(s.num) * set.dim);
      for (std::size_t i = 0; i < static_cast<std::size_t>(s.num); ++i)
        Stream(e.seed, Purpose::pool, i).fill_sphere({&set.pool[i * set.dim], set.dim}, std::sqrt(s.power));
    }
  }
  if (set.dim > static_cast<std::size_t>(max_dim))
    throw SpecError({"stimulus.shape", fmt::format("at most {} values", max_dim), fmt::format("{}", set.dim), ""});
  if (set.once && e.spec.num_trials > static_cast<std::int64_t>(set.num()))
    throw SpecError({"num_trials",
                     fmt::format("<= {}, the number of recorded trials, each of which can be presented once", set.num()),
                     fmt::format("{}", e.spec.num_trials), ""});
  for (std::size_t i = 0; i < set.num(); ++i) e.pool_hash.push_back(content_hash(&set.pool[i * set.dim], set.dim));
  if (s.num_frames > 1 && s.kind != "ball" && s.kind != "box" && s.kind != "random_pool" && s.kind != "recorded" &&
      s.kind != "file")
    throw SpecError({"stimulus.num_frames", "1 for stimuli of this kind", fmt::format("{}", s.num_frames), ""});
  if (!s.duration_ms.empty() && s.duration_ms.size() != set.num())
    throw SpecError({"stimulus.duration_ms", fmt::format("{} values, one a member of the pool", set.num()),
                     fmt::format("{}", s.duration_ms.size()), ""});
}

}  // namespace hartline::loop
