// How many trials a prior saves that knows what receptive fields are like, its hyper-parameters set by evidence along the run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "../proof/proof.hpp"
#include "loop/metrics.hpp"

namespace hartline {
namespace {

using proof::sized;

const char* const kinds[] = {"isotropic", "smooth", "ald"};
constexpr double gain = 8;  // of the field; pictures have unit length, so ρ has the standard deviation gain / side
constexpr int refit_every = 100;

struct Setting {
  std::int64_t side, num_fields;
  std::vector<std::int64_t> counts;  // the first ones before the first refit
};

/// A Gabor field of its own for each k: place, orientation, size, wavelength and phase are drawn; or weights without structure.
std::vector<double> field(std::int64_t side, bool structured, std::size_t k) {
  Stream stream(40 + k, Purpose::test);
  const auto between = [&](double low, double high) { return low + (high - low) * stream.uniform(); };
  std::vector<double> out(static_cast<std::size_t>(side * side));
  if (!structured) {
    stream.fill_sphere(out, gain);
    return out;
  }
  const double middle = (static_cast<double>(side) - 1) / 2, row = middle + between(-2, 2), column = middle + between(-2, 2);
  const double angle = between(0, std::numbers::pi), sigma = between(1.2, 2), wavelength = between(3.5, 7);
  const double phase = between(0, 2 * std::numbers::pi);
  double square = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double r = static_cast<double>(i) / static_cast<double>(side);
    const double dr = std::floor(r) - row, dc = static_cast<double>(i % static_cast<std::size_t>(side)) - column;
    const double along = dr * std::sin(angle) + dc * std::cos(angle);
    out[i] = std::exp(-(dr * dr + dc * dc) / (2 * sigma * sigma)) * std::cos(2 * std::numbers::pi * along / wavelength + phase);
    square += out[i] * out[i];
  }
  for (double& x : out) x *= gain / std::sqrt(square);
  return out;
}

/// Relative error by kind of prior, field and count.
using Errors = std::vector<std::vector<std::vector<double>>>;

Errors study(const Setting& setting, const std::string& design, bool structured) {
  Errors out;
  for (const char* kind : kinds) {
    const std::string text = fmt::format(
        "format = 1\nseed = 1\nnum_trials = {}\n[stimulus]\nkind = \"random_pool\"\nshape = [{}, {}]\nnum = 2000\n[model]\nkind = "
        "\"glm\"\n[design]\n{}\n[belief]\nrefine_every = {}\nrefine_lag = 1\nrefine_at_end = false\n"
        "prior = {{ kind = \"{}\", sd = {:.4f}, fit = true }}\n",
        setting.counts.back(), setting.side, setting.side, design, refit_every, kind, gain / static_cast<double>(setting.side));
    auto& errors = out.emplace_back(static_cast<std::size_t>(setting.num_fields));
    proof::for_each_run(
        text, 1, setting.num_fields,
        [&](std::size_t k, const loop::Experiment& experiment, loop::Run& run) {
          for (const std::int64_t count : setting.counts) {
            while (run.learner().num_trials() < count) run.step();
            errors[k].push_back(
                loop::measure(experiment, run.learner(), experiment.truth, {}, {loop::Metric::relative_error}).at(0));
          }
        },
        [&](std::size_t k, loop::Experiment& experiment) { experiment.truth = field(setting.side, structured, k); });
  }
  return out;
}

std::vector<double> mean_curve(const std::vector<std::vector<double>>& errors, const std::vector<std::size_t>& fields) {
  std::vector<double> mean(errors[0].size(), 0);
  for (std::size_t f : fields)
    for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += errors[f][c] / static_cast<double>(fields.size());
  return mean;
}

/// Trials at which a curve falls to the criterion, linear between counts; infinite if never.
double trials_to(const std::vector<std::int64_t>& counts, const std::vector<double>& curve, double criterion) {
  for (std::size_t c = 0; c < curve.size(); ++c) {
    if (curve[c] > criterion) continue;
    const auto here = static_cast<double>(counts[c]);
    if (c == 0) return here;
    const auto before = static_cast<double>(counts[c - 1]);
    return before + (curve[c - 1] - criterion) / (curve[c - 1] - curve[c]) * (here - before);
  }
  return INFINITY;
}

/// Trials in which a prior reaches what the isotropic one has at the end, by the mean curves, with a 95 % bootstrap interval over
/// the fields.
struct Saving {
  double trials = 0, low = 0, high = 0;
};

Saving saving(const Setting& setting, const Errors& errors, std::size_t kind) {
  const auto num = static_cast<std::size_t>(setting.num_fields);
  const auto needed = [&](const std::vector<std::size_t>& fields) {
    return trials_to(setting.counts, mean_curve(errors[kind], fields), mean_curve(errors[0], fields).back());
  };
  std::vector<std::size_t> fields(num);
  for (std::size_t f = 0; f < num; ++f) fields[f] = f;
  Saving out{needed(fields), 0, 0};
  std::vector<double> resampled(2000);
  for (std::size_t r = 0; r < resampled.size(); ++r) {
    Stream stream(1, Purpose::bootstrap, r);
    for (std::size_t& f : fields) f = static_cast<std::size_t>(stream.integer(setting.num_fields));
    resampled[r] = needed(fields);
  }
  std::sort(resampled.begin(), resampled.end());
  out.low = resampled[50];
  out.high = resampled[1949];
  return out;
}

void add_rows(proof::Sheet& sheet, const Setting& setting, const std::string& truth, const std::string& design,
              const Errors& errors) {
  std::vector<std::size_t> fields;
  for (std::size_t f = 0; f < static_cast<std::size_t>(setting.num_fields); ++f) fields.push_back(f);
  const auto last = static_cast<double>(setting.counts.back());
  const auto trials = [](double n) { return std::isinf(n) ? std::string("never") : fmt::format("{:.0f}", n); };
  const auto factor = [&](double n) { return std::isinf(n) ? std::string("none") : fmt::format("{:.2f}", last / n); };
  for (std::size_t kind = 0; kind < errors.size(); ++kind) {
    std::vector<std::string> cells = {truth, design, kinds[kind]};
    const std::vector<double> curve = mean_curve(errors[kind], fields);
    for (double e : curve) cells.push_back(fmt::format("{:.3f}", e));
    const Saving s = saving(setting, errors, kind);
    cells.push_back(kind ? fmt::format("{} ({} … {})", trials(s.trials), trials(s.low), trials(s.high)) : "");
    cells.push_back(kind ? fmt::format("{} ({} … {})", factor(s.trials), factor(s.high), factor(s.low)) : "");
    sheet.row(cells);
    fmt::print("{}\n", fmt::join(cells, " | "));
  }
}

/// At full size the whole interval of both structured priors lies below the isotropic one's trials, in both designs. Reduced, on
/// two fields and 151 trials, only ALD's own error is compared, which was a half of the isotropic one.
TEST(Priors, StructureSavesTrialsOnFieldsThatHaveIt) {
  const Setting setting =
      proof::is_full() ? Setting{10, 8, {26, 51, 76, 101, 126, 151, 176, 201, 251, 301, 351, 401}} : Setting{8, 2, {51, 101, 151}};
  std::vector<std::string> columns = {"field", "design", "prior"};
  for (std::int64_t count : setting.counts) columns.push_back(fmt::format("{}", count));
  columns.insert(columns.end(), {"trials to the isotropic prior's last error", "trials saved, factor"});
  proof::Sheet sheet(
      fmt::format("Relative error after trials, {0} x {0} weights, a pool of 2,000 pictures, {1} fields of their own; all "
                  "hyper-parameters fitted after every {2} trials; 95 % bootstrap intervals over the fields",
                  setting.side, setting.num_fields, refit_every),
      columns);
  for (const auto& [name, design] :
       {std::pair{"random", "kind = \"random\"\nlaw = \"pool\""}, std::pair{"infomax", "kind = \"infomax\""}}) {
    const Errors errors = study(setting, design, true);
    add_rows(sheet, setting, "Gabor", name, errors);
    for (const std::size_t kind : {1u, 2u}) {
      if (proof::is_full()) {
        EXPECT_LT(saving(setting, errors, kind).high, static_cast<double>(setting.counts.back())) << kinds[kind] << ", " << name;
      }
    }
    EXPECT_LT(mean_curve(errors[2], {0, 1}).back(), .85 * mean_curve(errors[0], {0, 1}).back()) << name;
  }
  if (!proof::is_full()) return;
  // and where there is no structure to be known
  Setting fewer = setting;
  fewer.num_fields = 4;
  add_rows(sheet, fewer, "without structure", "random", study(fewer, "kind = \"random\"\nlaw = \"pool\"", false));
}

}  // namespace
}  // namespace hartline
