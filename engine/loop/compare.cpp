#include "loop/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>

#include "base/error.hpp"
#include "loop/run.hpp"

namespace hartline::loop {

namespace {

constexpr int num_resamples = 2000;

std::vector<std::int64_t> trial_counts(const Spec& spec) {
  std::vector<std::int64_t> counts = spec.compare ? spec.compare->at : std::vector<std::int64_t>{};
  if (counts.empty()) {
    constexpr int per_decade = 8;
    for (int k = 0;; ++k) {
      const auto count = static_cast<std::int64_t>(std::llround(std::pow(10.0, static_cast<double>(k) / per_decade)));
      if (count >= spec.num_trials) break;
      if (counts.empty() || count > counts.back()) counts.push_back(count);
    }
    counts.push_back(spec.num_trials);
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > spec.num_trials)
      throw SpecError({"compare.at", fmt::format("<= num_trials = {}", spec.num_trials), fmt::format("{}", counts[i]), ""});
    if (i > 0 && counts[i] <= counts[i - 1]) throw SpecError({"compare.at", "increasing", fmt::format("{}", counts[i]), ""});
  }
  return counts;
}

/// 95 % percentile interval of the mean over seeds.
std::pair<double, double> bootstrap(const std::vector<double>& values, std::uint64_t seed, std::uint64_t index) {
  std::vector<double> means(num_resamples);
  for (int k = 0; k < num_resamples; ++k) {
    // the same seeds are drawn for every metric and design, so intervals of paired differences stay paired
    Stream stream(seed, Purpose::bootstrap, static_cast<std::uint64_t>(k), index);
    double total = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      total += values[static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(values.size())))];
    means[static_cast<std::size_t>(k)] = total / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  return {means[num_resamples / 40], means[num_resamples - 1 - num_resamples / 40]};
}

/// Trials at which a mean curve first reaches the criterion, interpolated in log trials; NaN if never.
double crossing(const std::vector<std::int64_t>& trials, const std::vector<double>& mean, double criterion, bool lower) {
  const auto reached = [&](double y) { return lower ? y <= criterion : y >= criterion; };
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (!reached(mean[i])) continue;
    if (i == 0 || trials[i - 1] == 0) return static_cast<double>(trials[i]);
    const double u = (criterion - mean[i - 1]) / (mean[i] - mean[i - 1]);
    return std::exp(std::log(static_cast<double>(trials[i - 1])) * (1 - u) + std::log(static_cast<double>(trials[i])) * u);
  }
  return std::nan("");
}

std::optional<Saving> saving_of(const Comparison& c, const CompareSpec& spec, std::uint64_t seed) {
  const auto adaptive = std::find_if(c.designs.begin(), c.designs.end(), [](const auto& d) { return !d.baseline; });
  const auto baseline = std::find_if(c.designs.begin(), c.designs.end(), [](const auto& d) { return d.baseline; });
  if (adaptive == c.designs.end() || baseline == c.designs.end()) return {};
  // not half_logdet or entropy by default: a design is not judged by its own uncertainty alone
  std::string name = spec.metric;
  if (name == "auto") name = baseline->bands[0].metric == Metric::relative_error ? "relative_error" : "heldout_bits_per_spike";
  std::size_t at = 0;
  while (at < baseline->bands.size() && metric_info[static_cast<std::size_t>(baseline->bands[at].metric)].name != name) ++at;
  if (at == baseline->bands.size()) {
    if (spec.metric == "auto") return {};
    throw SpecError({"compare.metric", "one that this experiment has", "\"" + name + "\"", ""});
  }
  Saving s;
  s.metric = baseline->bands[at].metric;
  const bool lower = metric_info[static_cast<std::size_t>(s.metric)].lower_is_better;
  const Band &base = baseline->bands[at], &adapt = adaptive->bands[at];
  s.baseline = baseline->name;
  s.adaptive = adaptive->name;
  s.criterion = spec.criterion ? *spec.criterion : base.mean.back();
  s.baseline_trials = crossing(c.trials, base.mean, s.criterion, lower);
  s.adaptive_trials = crossing(c.trials, adapt.mean, s.criterion, lower);
  s.ratio = s.baseline_trials / s.adaptive_trials;
  if (!std::isfinite(s.ratio)) return {};
  std::vector<double> ratios;
  const auto num = base.by_seed.size();
  for (int k = 0; k < num_resamples; ++k) {
    Stream stream(seed, Purpose::bootstrap, static_cast<std::uint64_t>(k), 1);
    std::vector<double> mean_base(c.trials.size(), 0), mean_adapt(c.trials.size(), 0);
    for (std::size_t i = 0; i < num; ++i) {
      const auto pick = static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(num)));
      for (std::size_t t = 0; t < c.trials.size(); ++t) {
        mean_base[t] += base.by_seed[pick][t] / static_cast<double>(num);
        mean_adapt[t] += adapt.by_seed[pick][t] / static_cast<double>(num);
      }
    }
    // without a fixed criterion the baseline of each resample sets its own
    const double criterion = spec.criterion ? *spec.criterion : mean_base.back();
    const double ratio = crossing(c.trials, mean_base, criterion, lower) / crossing(c.trials, mean_adapt, criterion, lower);
    if (std::isfinite(ratio)) ratios.push_back(ratio);
  }
  if (ratios.size() < num_resamples * 9 / 10) return {};
  std::sort(ratios.begin(), ratios.end());
  s.low = ratios[ratios.size() / 40];
  s.high = ratios[ratios.size() - 1 - ratios.size() / 40];
  return s;
}

struct Contender {
  std::string name;
  bool baseline;
  Spec spec;
};

std::vector<Contender> arms_of(const Table& document, const std::string& file, const Spec& spec) {
  std::vector<Contender> arms;
  std::vector<Table> designs = spec.compare ? spec.compare->design : std::vector<Table>{};
  if (designs.empty()) {
    Table own, random, random_design;
    own.set("name", spec.design.kind);
    random_design.set("kind", "random");
    random.set("name", "random");
    random.set("design", random_design);
    designs = {own, random};
  }
  for (std::size_t i = 0; i < designs.size(); ++i) {
    const std::string path = fmt::format("compare.design[{}]", i);
    const Value* name = designs[i].find("name");
    if (!name || !name->text()) throw SpecError({path + ".name", "given", "nothing", ""});
    for (const Contender& arm : arms)
      if (arm.name == *name->text()) throw SpecError({path + ".name", "different from the others", "\"" + arm.name + "\"", ""});
    for (const auto& [key, value] : designs[i].items)
      if (key != "name" && key != "role" && !value.table())
        throw SpecError({path + "." + key, "name, role or a table of the experiment", display(value),
                         "Write what it overrides as a table, for example design = { kind = \"random\" }."});
    Contender arm{*name->text(), false, read_spec(with_overrides(document, designs[i]), file)};
    arm.baseline = arm.spec.design.kind != "infomax" && arm.spec.design.kind != "policy";
    if (const Value* role = designs[i].find("role")) {
      if (!role->text() || (*role->text() != "adaptive" && *role->text() != "baseline"))
        throw SpecError({path + ".role", "one of adaptive, baseline", display(*role), ""});
      arm.baseline = *role->text() == "baseline";
    }
    if (arm.spec.design.deadline_ms)
      throw SpecError({path + ".design.deadline_ms", "absent in a comparison", number_text(*arm.spec.design.deadline_ms) + " ms",
                       "A deadline would make the result depend on the machine's load."});
    if (arm.spec.num_trials != spec.num_trials)
      throw SpecError({path + ".num_trials", "the experiment's", fmt::format("{}", arm.spec.num_trials), ""});
    arms.push_back(std::move(arm));
  }
  return arms;
}

}  // namespace

void check_comparison(const Table& document, const std::string& file, const std::string& folder, Executor& executor) {
  const Spec spec = read_spec(document, file);
  trial_counts(spec);
  for (const Contender& arm : arms_of(document, file, spec))
    build(arm.spec, folder, static_cast<std::uint64_t>(spec.seed), executor);
}

struct Pairing::Parts {
  Spec spec;
  CompareSpec compare;
  std::string folder;
  std::vector<Contender> arms;
  std::vector<std::int64_t> trials;
  std::shared_ptr<const Recording> recording;
  std::vector<Metric> metrics;
};

Pairing::Pairing(const Table& document, const std::string& file, const std::string& folder) {
  auto parts = std::make_unique<Parts>();
  parts->spec = read_spec(document, file);
  parts->compare = parts->spec.compare.value_or(CompareSpec{});
  parts->folder = folder;
  parts->arms = arms_of(document, file, parts->spec);
  parts->trials = trial_counts(parts->spec);
  const auto serial = make_serial_executor();
  const auto first = build(parts->arms[0].spec, folder, static_cast<std::uint64_t>(parts->spec.seed), *serial);
  parts->recording = first->recording;
  parts->metrics = metrics_of(*first, make_held_out(*first, parts->compare.num_held_out));
  parts_ = std::move(parts);
}

Pairing::~Pairing() = default;

std::int64_t Pairing::num_runs() const { return static_cast<std::int64_t>(parts_->arms.size()) * parts_->compare.num_seeds; }

std::int64_t Pairing::num_trials() const { return parts_->spec.num_trials; }

Pairing::Values Pairing::measure(std::int64_t run_idx, const std::function<void(std::int64_t)>& progress) const {
  if (run_idx < 0 || run_idx >= num_runs())
    throw SpecError({"run_idx", fmt::format("in 0 … {}", num_runs() - 1), fmt::format("{}", run_idx), ""});
  const auto num_arms = static_cast<std::int64_t>(parts_->arms.size());
  const Contender& arm = parts_->arms[static_cast<std::size_t>(run_idx % num_arms)];
  const std::uint64_t seed = static_cast<std::uint64_t>(parts_->spec.seed) + static_cast<std::uint64_t>(run_idx / num_arms);
  const auto executor = make_serial_executor();
  const auto experiment = build(arm.spec, parts_->folder, seed, *executor, parts_->recording);
  const HeldOut held_out = make_held_out(*experiment, parts_->compare.num_held_out);
  if (metrics_of(*experiment, held_out) != parts_->metrics)
    throw SpecError({"compare.design." + arm.name, "a design with the metrics of the first", "another model", ""});
  const auto record = make_null_record();
  const SteadyClock clock;
  Run run(*experiment, *record, clock);
  Values values;
  for (const std::int64_t count : parts_->trials) {
    const std::int64_t before = run.learner().num_trials();
    while (run.learner().num_trials() < count) run.step();
    values.push_back(hartline::loop::measure(*experiment, run.learner(), run.truth(), held_out, parts_->metrics));
    if (progress) progress(count - before);
  }
  return values;
}

Comparison Pairing::combine(const std::vector<Values>& runs) const {
  const std::vector<Contender>& arms = parts_->arms;
  const auto num_seeds = static_cast<std::size_t>(parts_->compare.num_seeds), num_counts = parts_->trials.size();
  if (runs.size() != arms.size() * num_seeds)
    throw SpecError({"runs", fmt::format("{} of them", arms.size() * num_seeds), fmt::format("{}", runs.size()), ""});
  for (std::size_t k = 0; k < runs.size(); ++k)
    if (runs[k].size() != num_counts ||
        std::any_of(runs[k].begin(), runs[k].end(), [&](const auto& row) { return row.size() != parts_->metrics.size(); }))
      throw SpecError({fmt::format("runs[{}]", k), fmt::format("[{}][{}] numbers", num_counts, parts_->metrics.size()),
                       "another shape", "Give what measure returned."});
  Comparison out;
  out.trials = parts_->trials;
  out.num_seeds = parts_->compare.num_seeds;
  const auto seed = static_cast<std::uint64_t>(parts_->spec.seed);
  for (std::size_t a = 0; a < arms.size(); ++a) {
    DesignResult design{arms[a].name, arms[a].baseline, {}};
    for (std::size_t k = 0; k < parts_->metrics.size(); ++k) {
      Band band{parts_->metrics[k], {}, {}, {}, std::vector<std::vector<double>>(num_seeds)};
      for (std::size_t t = 0; t < num_counts; ++t) {
        std::vector<double> sample;
        for (std::size_t s = 0; s < num_seeds; ++s) {
          sample.push_back(runs[s * arms.size() + a][t][k]);
          band.by_seed[s].push_back(sample.back());
        }
        double mean = 0;
        for (double x : sample) mean += x / static_cast<double>(num_seeds);
        const auto [low, high] = bootstrap(sample, seed, 0);
        band.mean.push_back(mean);
        band.low.push_back(low);
        band.high.push_back(high);
      }
      design.bands.push_back(std::move(band));
    }
    out.designs.push_back(std::move(design));
  }
  out.saving = saving_of(out, parts_->compare, seed);
  return out;
}

Comparison compare(const Table& document, const std::string& file, const std::string& folder, Executor& executor,
                   const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const Pairing pairing(document, file, folder);
  std::vector<Pairing::Values> runs(static_cast<std::size_t>(pairing.num_runs()));
  std::mutex mutex;
  std::exception_ptr failure;
  std::int64_t trials_done = 0;
  const std::int64_t trials_all = pairing.num_runs() * pairing.num_trials();
  executor.for_each_block(static_cast<int>(runs.size()), [&](int run_idx) {
    try {
      {
        const std::lock_guard lock(mutex);
        if (failure) return;
      }
      runs[static_cast<std::size_t>(run_idx)] = pairing.measure(run_idx, [&](std::int64_t added) {
        const std::lock_guard lock(mutex);
        trials_done += added;
        if (progress) progress(trials_done, trials_all);
      });
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  return pairing.combine(runs);
}

Value to_document(const Comparison& comparison) {
  Table document;
  document.set("format", 1);
  document.set("num_seeds", comparison.num_seeds);
  List trials, designs;
  for (std::int64_t t : comparison.trials) trials.emplace_back(t);
  for (const DesignResult& design : comparison.designs) {
    Table metrics;
    for (const Band& band : design.bands) {
      Table values;
      values.set("mean", numbers(band.mean));
      values.set("low", numbers(band.low));
      values.set("high", numbers(band.high));
      metrics.set(metric_info[static_cast<std::size_t>(band.metric)].name, values);
    }
    Table item;
    item.set("name", design.name);
    item.set("role", design.baseline ? "baseline" : "adaptive");
    item.set("trials", trials);
    item.set("metrics", metrics);
    designs.emplace_back(item);
  }
  document.set("designs", designs);
  if (comparison.saving) {
    const Saving& s = *comparison.saving;
    Table saving;
    saving.set("metric", std::string(metric_info[static_cast<std::size_t>(s.metric)].name));
    saving.set("criterion", s.criterion);
    saving.set("baseline", s.baseline);
    saving.set("adaptive", s.adaptive);
    saving.set("baseline_trials", s.baseline_trials);
    saving.set("adaptive_trials", s.adaptive_trials);
    saving.set("ratio", s.ratio);
    saving.set("low", s.low);
    saving.set("high", s.high);
    document.set("saving", saving);
  }
  return document;
}

}  // namespace hartline::loop
