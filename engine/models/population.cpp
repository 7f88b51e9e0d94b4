#include "models/population.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/threads.hpp"
#include "numerics/dense.hpp"
#include "numerics/quadrature.hpp"

namespace hartline::models {

namespace {

constexpr std::size_t cells_per_block = 8;

Sequence with_cells(Sequence sequence, std::int64_t num_cells) {
  sequence.num_cells = static_cast<std::size_t>(num_cells);
  return sequence;
}

}  // namespace

Population::Population(const GlmSpec& glm, const GaussianBeliefSpec& belief, const PopulationSpec& spec, std::size_t frame_dim,
                       const Sequence& sequence, Executor& executor)
    : spec_(spec),
      glm_spec_(glm),
      belief_spec_(belief),
      glm_(glm, belief, frame_dim, with_cells(sequence, spec.num_cells)),
      executor_(executor) {
  const bool weighted = spec.aggregate == "weighted";
  num_cells = static_cast<std::size_t>(spec.num_cells);
  if (spec.weights.size() != (weighted ? num_cells : 0))
    throw SpecError({"model.population.weights",
                     weighted ? fmt::format("{} numbers, one a cell", num_cells) : "left out unless aggregate is weighted",
                     fmt::format("{} numbers", spec.weights.size()), ""});
  if (weighted && *std::max_element(spec.weights.begin(), spec.weights.end()) <= 0)
    throw SpecError(
        {"model.population.weights", "> 0 for one cell at least", "none above 0", "No stimulus would be worth anything."});
  const bool exp_counts = glm_.law.law == Law::poisson && glm_.law.link == Link::exp;
  if (spec.shared_gain_sd > 0 && !exp_counts)
    throw SpecError({"model.population.shared_gain_sd", "0 unless counts go through the link exp", number_text(spec.shared_gain_sd),
                     "A gain is a shift of the log rate."});
  if (spec.shared_gain_sd > 0 && spec.aggregate != "sum")
    throw SpecError({"model.population.aggregate", "sum with a shared gain", fmt::format("\"{}\"", spec.aggregate),
                     "What a gain costs is a matter of all cells together."});
  if (spec.shared_gain_sd > 0 && belief.refine_every > 0)
    throw SpecError(
        {"belief.refine_every", "0 with a shared gain", fmt::format("{} trials", belief.refine_every), "There is no refit of it."});
  stimulus_dim = glm_.stimulus_dim;
  num_bins = glm_.num_bins;
  num_parameters = num_cells * glm_.num_parameters;
  response_kind = glm_.response_kind;
  num_choices = glm_.num_choices;
  has_context = glm_.has_context;
}

template <class Body>
void Population::for_each_cell(Body&& body) const {
  const std::size_t num_blocks = (num_cells + cells_per_block - 1) / cells_per_block;
  executor_.for_each_block(static_cast<int>(num_blocks), [&](int block) {
    const std::size_t first = static_cast<std::size_t>(block) * cells_per_block;
    for (std::size_t c = first; c < std::min(first + cells_per_block, num_cells); ++c) body(c);
  });
}

std::unique_ptr<Belief> Population::prior() const {
  auto belief = std::make_unique<PopulationBelief>();
  const auto one = glm_.prior();
  GaussianBelief cell(glm_.num_parameters, 2 * num_bins + 2);
  const std::size_t room = cell.steps_g.size();
  cell = dynamic_cast<GaussianBelief&>(*one);
  cell.steps_g.resize(room);
  belief->context = cell.context;
  cell.context = {};
  cell.predictions.reserve(num_bins);
  belief->cells.assign(num_cells, cell);
  belief->present.assign(num_cells, 1);
  belief->num_without.assign(num_cells, std::max<std::int64_t>(0, spec_.vanish_after - 1));  // one response decides at the start
  belief->attendance.reserve(4 * num_cells);
  belief->rows.resize(num_cells);
  if (spec_.shared_gain_sd > 0) {
    belief->common.assign(glm_.num_parameters * glm_.num_parameters, 0.0);
    belief->k.resize(glm_.num_parameters);
    belief->mixed.resize(glm_.num_parameters);
  }
  belief->seen.resize(num_cells);
  belief->predictions.resize(num_cells * num_bins);
  return belief;
}

void Population::attend(PopulationBelief& belief, const Response& response) const {
  for (std::size_t c = 0; c < num_cells; ++c) {
    bool there = response.marks.empty();
    for (std::size_t b = 0; b < num_bins && !there; ++b) there = response.marks[c * num_bins + b] != Mark::missing;
    belief.num_without[c] = there ? 0 : belief.num_without[c] + 1;
    const bool present = there || (belief.present[c] && (spec_.vanish_after == 0 || belief.num_without[c] < spec_.vanish_after));
    if (present != (belief.present[c] != 0)) belief.attendance.push_back({c, belief.num_trials, present});
    belief.present[c] = present;
  }
  ++belief.num_trials;
}

Update Population::update(Belief& any_belief, std::span<const double> stimulus, const Response& response, double elapsed_s) const {
  auto& belief = dynamic_cast<PopulationBelief&>(any_belief);
  bool is_pending = false, changes = glm_.has_drift() && elapsed_s > 0;
  if (!stimulus.empty()) {
    check(stimulus, response);
    for (std::size_t i = 0; i < response.values.size(); ++i) {
      const Mark mark = mark_of(response, i);
      is_pending = is_pending || mark == Mark::pending;
      changes = changes || has_value(mark);
    }
  }
  if (stimulus.empty() && !changes) return {false, 0, {}};
  for_each_cell([&](std::size_t c) {
    GaussianBelief& cell = belief.cells[c];
    if (changes && !is_pending) cell.begin_change();
    glm_.let_time_pass(cell, elapsed_s, is_pending);
  });
  if (stimulus.empty()) return {false, 0, {}};
  if (!is_pending) attend(belief, response);
  if (glm_.sequence().isolated) glm_.rest(belief.context);
  Update out{false, 0, belief.predictions};
  for (std::size_t b = 0; b < num_bins; ++b) {
    for (std::size_t c = 0; c < num_cells; ++c) {
      const Mark mark = b < glm_.sequence().num_blank_bins ? Mark::blanked : mark_of(response, c * num_bins + b);
      belief.rows[c].mark = mark == Mark::pending && !belief.present[c] ? Mark::missing : mark;
      out.used = out.used || has_value(mark);
    }
    if (spec_.shared_gain_sd > 0) {
      share_gain(belief, stimulus, response, b, out.log_evidence);
    } else {
      for_each_cell([&](std::size_t c) {
        GaussianBelief& cell = belief.cells[c];
        PopulationBelief::Row& row = belief.rows[c];
        row.log_evidence = 0;
        glm_.place(belief.context, stimulus, b, c, cell.s.data());
        const Datum datum(response.values[c * num_bins + b], row.mark == Mark::censored);
        belief.predictions[c * num_bins + b] = glm_.observe(cell, cell.s.data(), datum, row.mark, row.log_evidence);
      });
      for (const PopulationBelief::Row& row : belief.rows) out.log_evidence += row.log_evidence;
    }
    for (std::size_t c = 0; c < num_cells; ++c) {
      const double value = response.values[c * num_bins + b];
      const bool known = has_value(belief.rows[c].mark) || (belief.rows[c].mark == Mark::blanked && std::isfinite(value));
      belief.seen[c] = known ? value : belief.predictions[c * num_bins + b].mean;
    }
    glm_.advance(belief.context, stimulus, b, belief.seen);
  }
  return out;
}

/// ŷ, and with it slope and information of every cell's likelihood of y; returns P.
double Population::find_gain(PopulationBelief& belief, const Response& response, std::size_t bin, double variance) const {
  double& y = belief.gain;
  y = 0;
  for (int iteration = 0; iteration < 100; ++iteration) {
    for_each_cell([&](std::size_t c) {
      PopulationBelief::Row& row = belief.rows[c];
      row.slope = row.information = row.step = row.curvature = 0;
      if (!has_value(row.mark)) return;
      const Datum r(response.values[c * num_bins + bin], row.mark == Mark::censored);
      const Mode mode = find_mode(glm_.law, r, row.m + y, row.v);
      row.step = mode.step;
      row.curvature = std::max(0.0, glm_.law.curvature(r, mode.rho));
      // the second terms are those of -½ log(1 + D w), D growing as its exp with y
      const double x = row.curvature * row.v;
      row.slope = mode.step - 0.5 * x / ((1 + x) * (1 + x));
      row.information = std::max(0.0, row.curvature / (1 + x) + 0.5 * x * (1 - x) / std::pow(1 + x, 4));
    });
    double slope = -y / variance, precision = 1 / variance;
    for (const PopulationBelief::Row& row : belief.rows) {
      slope += row.slope;
      precision += row.information;
    }
    const double step = std::clamp(slope / precision, -1.0, 1.0);
    if (std::abs(step) < 1e-10 * (1 + std::abs(y))) return precision;
    y += step;
  }
  throw InternalError({"model.population.shared_gain_sd", "", "", "The mode of the gain was not found in 100 Newton steps."});
}

void Population::share_gain(PopulationBelief& belief, std::span<const double> stimulus, const Response& response, std::size_t bin,
                            double& log_evidence) const {
  const std::size_t dim = glm_.num_parameters;
  const double gain_variance = spec_.shared_gain_sd * spec_.shared_gain_sd;
  std::vector<double>&k = belief.k, &mixed = belief.mixed;
  std::fill(mixed.begin(), mixed.end(), 0.0);  // the mean predictor
  for (std::size_t c = 0; c < num_cells; ++c) {
    glm_.place(belief.context, stimulus, bin, c, belief.cells[c].s.data());
    numerics::add_scaled(mixed.data(), 1 / static_cast<double>(num_cells), belief.cells[c].s.data(), dim);
  }
  numerics::multiply_rows(belief.common.data(), dim, 0, dim, dim, mixed.data(), k.data());
  const double kappa = std::max(0.0, numerics::dot(mixed.data(), k.data(), dim)), variance = kappa + gain_variance;
  for (double& x : k) x /= variance;  // h

  bool is_pending = false;
  double num_rows = 0;
  for (const PopulationBelief::Row& row : belief.rows) {
    is_pending = is_pending || row.mark == Mark::pending;
    num_rows += has_value(row.mark) || row.mark == Mark::pending;
  }
  for_each_cell([&](std::size_t c) {
    GaussianBelief& cell = belief.cells[c];
    PopulationBelief::Row& row = belief.rows[c];
    row.m = numerics::dot(cell.s.data(), cell.mean.data(), dim);
    double v = 0;
    if (has_value(row.mark) || row.mark == Mark::pending) {
      double* g = cell.add_step(row.mark == Mark::pending);
      numerics::multiply_rows(cell.covariance.data(), dim, 0, dim, dim, cell.s.data(), g);
      v = numerics::dot(cell.s.data(), g, dim);
      numerics::add_scaled(g, -variance, k.data(), dim);
    }
    row.v = std::max(v - kappa, 0.01 * v);
    belief.predictions[c * num_bins + bin] = {expected_response(glm_.law, row.m, v + gain_variance), std::nan(""), std::nan("")};
  });
  if (num_rows == 0) return;
  double precision = 1 / variance;
  if (is_pending) {
    belief.gain = 0;
    for_each_cell([&](std::size_t c) {
      PopulationBelief::Row& row = belief.rows[c];
      const bool counts = row.mark == Mark::pending;
      row.step = 0;
      row.curvature = counts ? expected_information(glm_.law, row.m, row.v, row.v + variance) : 0;
      row.information = row.curvature / (1 + row.curvature * row.v);
    });
    for (const PopulationBelief::Row& row : belief.rows) precision += row.information;
  } else {
    precision = find_gain(belief, response, bin, variance);
  }

  std::fill(mixed.begin(), mixed.end(), 0.0);  // ḡ - h
  for (std::size_t c = 0; c < num_cells; ++c) {
    const PopulationBelief::Row& row = belief.rows[c];
    if (!has_value(row.mark) && row.mark != Mark::pending) continue;
    const GaussianBelief& cell = belief.cells[c];
    const double* g = (is_pending ? cell.pending : cell.steps).back().g;
    numerics::add_scaled(mixed.data(), row.curvature / (1 + row.curvature * row.v) / num_rows, g, dim);
  }
  numerics::add_scaled(mixed.data(), -1, k.data(), dim);

  for_each_cell([&](std::size_t c) {
    PopulationBelief::Row& row = belief.rows[c];
    row.log_evidence = 0;
    if (!has_value(row.mark) && row.mark != Mark::pending) return;
    GaussianBelief& cell = belief.cells[c];
    if (!is_pending) {
      const Datum r(response.values[c * num_bins + bin], row.mark == Mark::censored);
      row.log_evidence =
          models::log_evidence(glm_.law, r, row.m + belief.gain, row.v, find_mode(glm_.law, r, row.m + belief.gain, row.v));
      cell.num_responses += 1;
      cell.mean_response += (r.value - cell.mean_response) / cell.num_responses;
    }
    // the loss of variance in the coordinates (h, g - k): [[loss, cross], [cross, own]], taken off as two squares
    const double l = row.curvature / (1 + row.curvature * row.v);
    const double loss = variance - 1 / precision, cross = l / precision, own = std::max(0.0, l - l * l / precision);
    const double tilt = own > 0 ? cross / own : 0;
    const auto take = [&](RankOneChange& change) {
      const double root = std::sqrt(change.shrink);
      for (std::size_t i = 0; i < dim; ++i) cell.h[i] = root * change.g[i];
      numerics::subtract_outer(cell.covariance.data(), dim, 0, dim, cell.h.data());
      numerics::add_scaled(cell.mean.data(), change.mean_step, change.g, dim);
    };
    auto& list = is_pending ? cell.pending : cell.steps;
    auto& store = is_pending ? cell.pending_g : cell.steps_g;
    numerics::add_scaled(&store[(list.size() - 1) * dim], tilt, k.data(), dim);
    list.back().shrink = own;
    list.back().mean_step = row.step;
    take(list.back());
    std::copy(k.begin(), k.end(), cell.add_step(is_pending));
    list.back().shrink = std::max(0.0, loss - tilt * cross);
    list.back().mean_step = belief.gain - tilt * row.step;
    take(list.back());
    cell.half_logdet = std::numeric_limits<double>::quiet_NaN();
  });
  for (std::size_t i = 0; i < dim; ++i)
    for (std::size_t j = 0; j < dim; ++j) belief.common[i * dim + j] += mixed[i] * mixed[j] / precision - variance * k[i] * k[j];
  if (is_pending) return;
  for (const PopulationBelief::Row& row : belief.rows) log_evidence += row.log_evidence;
  log_evidence -= 0.5 * belief.gain * belief.gain / variance + 0.5 * std::log(variance * precision);
}

void Population::refine(Belief& any_belief, const History& history) const {
  auto& belief = dynamic_cast<PopulationBelief&>(any_belief);
  if (spec_.shared_gain_sd > 0)
    throw SpecError({"belief.refine_at_end", "false with a shared gain", "true", "There is no refit of it."});
  if (glm_.has_drift())
    throw SpecError({"belief.refine_at_end", "false when weights drift", "true", "A refit assumes weights that stay."});
  // a model of one cell sees its own responses alone; with coupling the cell is put first, the others keep their order
  const bool coupled = glm_spec_.coupling;
  const Glm one(glm_spec_, belief_spec_, glm_.frame_dim(), with_cells(glm_.sequence(), coupled ? spec_.num_cells : 1));
  const std::size_t num_kept = coupled ? num_cells : 1;
  std::vector<GaussianBelief> refined = belief.cells;
  for_each_cell([&](std::size_t c) {
    History own{history.num_trials, history.stimuli, {}, {}};
    for (std::size_t t = 0; t < history.num_trials; ++t)
      for (std::size_t k = 0; k < num_kept; ++k) {
        const std::size_t from = (t * num_cells + (k == 0 ? c : k <= c ? k - 1 : k)) * num_bins;
        const auto at = [&](const auto& list) { return list.begin() + static_cast<std::ptrdiff_t>(from); };
        own.values.insert(own.values.end(), at(history.values), at(history.values) + static_cast<std::ptrdiff_t>(num_bins));
        if (!history.marks.empty())
          own.marks.insert(own.marks.end(), at(history.marks), at(history.marks) + static_cast<std::ptrdiff_t>(num_bins));
      }
    one.refine(refined[c], own);
  });
  belief.cells = std::move(refined);
}

void Population::predict(const Belief& any_belief, std::span<const double> stimuli, std::span<double> mean) const {
  const auto& belief = dynamic_cast<const PopulationBelief&>(any_belief);
  const std::size_t num = stimuli.size() / stimulus_dim, dim = glm_.num_parameters;
  std::vector<double> expected(num_cells);  // responses that are not there yet are taken at the mean so far
  for (std::size_t c = 0; c < num_cells; ++c) expected[c] = belief.cells[c].mean_response;
  for_each_cell([&](std::size_t c) {
    Rows rows;
    rows.num = num_bins;
    rows.s.resize(num_bins * dim);
    std::vector<double> m(num_bins), v(num_bins);
    Context context = belief.context;
    for (std::size_t i = 0; i < num; ++i) {
      const std::span<const double> stimulus = stimuli.subspan(i * stimulus_dim, stimulus_dim);
      if (glm_.looks_back()) context = belief.context;
      if (glm_.sequence().isolated) glm_.rest(context);
      for (std::size_t b = 0; b < num_bins; ++b) {
        glm_.place(context, stimulus, b, c, &rows.s[b * dim]);
        glm_.advance(context, stimulus, b, expected);
      }
      glm_.project(belief.cells[c], rows, m, v);
      for (std::size_t b = 0; b < num_bins; ++b)
        mean[(i * num_cells + c) * num_bins + b] =
            expected_response(glm_.law, m[b], v[b] + spec_.shared_gain_sd * spec_.shared_gain_sd);
    }
  });
}

void Population::sample(std::span<const double> parameters, std::span<const double> stimulus, Context& context, Stream& stream,
                        std::span<double> response) const {
  const std::size_t dim = glm_.num_parameters;
  std::vector<double> s(dim), seen(num_cells);
  if (glm_.sequence().isolated) glm_.rest(context);
  for (std::size_t b = 0; b < num_bins; ++b) {
    double gain = context.gain;
    if (spec_.shared_gain_sd > 0) gain *= std::exp(spec_.shared_gain_sd * stream.normal());
    for (std::size_t c = 0; c < num_cells; ++c) {
      glm_.place(context, stimulus, b, c, s.data());
      seen[c] = glm_.law.sample(numerics::dot(s.data(), &parameters[c * dim], dim), stream, gain);
      response[c * num_bins + b] = seen[c];
    }
    glm_.advance(context, stimulus, b, seen);
  }
}

double Population::log_likelihood(std::span<const double> parameters, std::span<const double> stimulus, double response) const {
  if (num_cells > 1)
    throw RunError({"model.population.num_cells", "1 for the likelihood of one value", fmt::format("{}", num_cells), ""});
  return glm_.log_likelihood(parameters, stimulus, response);
}

void PopulationBelief::replace_by(const Belief& other) {
  std::vector<std::uint64_t> versions;
  for (const GaussianBelief& cell : cells) versions.push_back(cell.version);
  *this = dynamic_cast<const PopulationBelief&>(other);
  for (std::size_t c = 0; c < cells.size(); ++c) {
    cells[c].version = versions[c] + 1;
    cells[c].exact = false;
    cells[c].steps.clear();
  }
}

std::uint64_t PopulationBelief::digest() const {
  std::uint64_t out = 0;
  for (const GaussianBelief& cell : cells) out = out * 0x9e3779b97f4a7c15ULL + cell.digest();
  return out;
}

void Population::summarise(const Belief& any_belief, std::span<double> mean, std::span<double> sd) const {
  const auto& belief = dynamic_cast<const PopulationBelief&>(any_belief);
  const std::size_t dim = glm_.num_parameters;
  for (std::size_t c = 0; c < belief.cells.size(); ++c)
    glm_.summarise(belief.cells[c], mean.subspan(c * dim, dim), sd.subspan(c * dim, dim));
}

Capability Population::capability(const Belief& any_belief) const {
  const auto& belief = dynamic_cast<const PopulationBelief&>(any_belief);
  belief.views.clear();
  belief.cell_idx.clear();
  belief.weights.clear();
  for (std::size_t c = 0; c < num_cells; ++c) {
    if (!belief.present[c]) continue;
    const GaussianBelief& cell = belief.cells[c];
    belief.views.push_back({glm_.num_parameters,
                            stimulus_dim,
                            cell.mean.data(),
                            cell.covariance.data(),
                            cell.half_logdet,
                            &glm_.law,
                            {cell.version, cell.exact, cell.steps},
                            cell.pending,
                            glm_.reach(cell, belief.context, c)});
    belief.cell_idx.push_back(c);
    belief.weights.push_back(spec_.weights.empty() ? 1 : spec_.weights[c]);
  }
  return PopulationView{this, belief.views, belief.cell_idx, belief.weights, spec_.shared_gain_sd * spec_.shared_gain_sd};
}

}  // namespace hartline::models
