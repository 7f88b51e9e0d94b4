#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "loop/subject.hpp"
#include "models/gaussian_process.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"
#include "models/population.hpp"
#include "models/text_model.hpp"
#include "numerics/normal.hpp"

namespace hartline::loop {

namespace {

/// Weights [num_lags, pixels] of the same length: the picture times its time course.
std::vector<double> over_lags(const instruments::GaborSpec& spec, const std::vector<double>& picture, std::size_t num_lags) {
  std::vector<double> course(num_lags), out;
  double norm = 0;
  for (std::size_t lag = 0; lag < num_lags; ++lag) {
    course[lag] = std::exp(-0.5 * std::pow((static_cast<double>(lag) - spec.peak_lag) / spec.lag_width, 2));
    norm += course[lag] * course[lag];
  }
  for (double c : course)
    for (double k : picture) out.push_back(k * c / std::sqrt(norm));
  return out;
}

class SimulatedSubject final : public Subject {
 public:
  SimulatedSubject(const SubjectSpec& spec, const models::Model& model, std::vector<double> truth, std::vector<double> duration_ms,
                   std::uint64_t seed)
      : spec_(spec),
        model_(model),
        theta_(std::move(truth)),
        duration_ms_(std::move(duration_ms)),
        context_(model.start()),
        values_(model.num_cells * model.num_bins),
        seed_(seed) {}

  void request(Trial& trial) const override {
    trial.requested.clock.assign("subject");
    trial.requested.time_ns =
        offset_ns_ + (duration_ms_.empty() ? std::llround(spec_.trial_ms * 1e6 * static_cast<double>(trial.index)) : end_ns_);
  }

  void present(std::span<const double> values, Trial& trial) override {
    show_as_requested(trial);
    if (!duration_ms_.empty()) {
      const auto* item = std::get_if<PoolItem>(&trial.requested.stimulus.what);
      const double duration = item ? duration_ms_[static_cast<std::size_t>(item->index)] : spec_.trial_ms;
      end_ns_ = trial.requested.time_ns - offset_ns_ + std::llround(duration * 1e6);
    }
    drift_to(trial.index);
    Stream stream(seed_, Purpose::response, static_cast<std::uint64_t>(trial.index));
    respond(values, stream);
    last_ = trial.index;
    send(trial);
  }

  bool next_answer(bool wait, Answer& out) override { return answers_.take(last_, wait, out); }

  std::vector<double> truth() const override { return theta_; }

  void resume_after(const Trial& last, std::int64_t gap_ns) override {
    Trial nominal;
    nominal.index = last.index;
    offset_ns_ = end_ns_ = 0;
    request(nominal);
    offset_ns_ = last.requested.time_ns - nominal.requested.time_ns + gap_ns;
  }

 private:
  void respond(std::span<const double> x, Stream& stream) {
    const bool lapses = spec_.lapse > 0 && stream.uniform() < spec_.lapse;
    const bool choice = model_.response_kind == ResponseKind::choice;
    const double guess = lapses && choice ? static_cast<double>(stream.integer(model_.num_choices)) : 0;
    context_.gain = lapses && !choice          ? 0
                    : spec_.overdispersion > 0 ? stream.gamma(1 / spec_.overdispersion, spec_.overdispersion)
                                               : 1;
    model_.sample(theta_, x, context_, stream, values_);
    if (lapses && choice) std::fill(values_.begin(), values_.end(), guess);
  }

  /// What befalls a response on its way.
  void send(const Trial& trial) {
    Stream stream(seed_, Purpose::sensor, static_cast<std::uint64_t>(trial.index));
    const bool missing = stream.uniform() < spec_.missing_share, swapped = stream.uniform() < spec_.swapped_share;
    const bool doubled = stream.uniform() < spec_.doubled_share, blanked = stream.uniform() < spec_.blanked_share;
    const std::int64_t due = trial.index + spec_.delay_trials + (swapped ? 1 : 0);
    for (int copy = 0; copy < (doubled ? 2 : 1); ++copy) {
      Answer& answer = answers_.add(due + copy);
      answer.token = trial.token;
      Response& response = answer.response;
      response.kind = model_.response_kind;
      response.num_cells = static_cast<std::int64_t>(model_.num_cells);
      response.num_bins = static_cast<std::int64_t>(model_.num_bins);
      response.values.assign(values_.begin(), values_.end());
      response.marks.assign(values_.size(), missing ? Mark::missing : blanked ? Mark::blanked : Mark::observed);
      response.reason.assign(missing ? "at random" : "");
      for (std::size_t i = 0; i < values_.size() && spec_.sorter_limit && !missing && !blanked; ++i) {
        if (values_[i] <= *spec_.sorter_limit) continue;
        const bool told = spec_.lost == "censored";
        response.marks[i] = told ? Mark::censored : Mark::missing;
        response.values[i] = told ? std::floor(*spec_.sorter_limit) + 1 : 0;
        response.reason.assign("the sorter lost spikes");
      }
    }
  }

  void drift_to(std::int64_t trial) {
    if (spec_.drift_per_s == 0) return;
    const double sd = std::sqrt(spec_.drift_per_s * spec_.trial_ms / 1000);
    for (; trial_ < trial; ++trial_) {
      Stream stream(seed_, Purpose::drift, static_cast<std::uint64_t>(trial_ + 1));
      for (double& theta : theta_) theta += sd * stream.normal();
    }
  }

  SubjectSpec spec_;
  const models::Model& model_;
  std::vector<double> theta_;
  std::vector<double> duration_ms_;  // of each member of the pool
  models::Context context_;
  std::vector<double> values_;  // of the last response
  AnswerQueue answers_;
  std::int64_t trial_ = 0, last_ = -1;
  std::int64_t offset_ns_ = 0, end_ns_ = 0;
  std::uint64_t seed_;
};

}  // namespace

std::vector<double> initial_truth(const SubjectSpec& spec, const models::Model& model, const std::vector<std::int64_t>& shape,
                                  std::uint64_t seed) {
  std::vector<double> out;
  if (spec.truth == "gabor") {
    if (!dynamic_cast<const models::Glm*>(&model))
      throw SpecError({"subject.truth", "prior or values for this model", "\"gabor\"", ""});
    const auto& glm = dynamic_cast<const models::Glm&>(model);
    out = over_lags(spec.gabor, instruments::gabor(spec.gabor, shape, spec.gain, "subject.gabor"), glm.num_lags());
    const std::size_t num_history = model.num_parameters - out.size() - (glm.has_bias() ? 1 : 0);
    if (spec.history.size() > num_history)
      throw SpecError({"subject.history", fmt::format("at most {} weights, as the model has", num_history),
                       fmt::format("{}", spec.history.size()), ""});
    out.insert(out.end(), spec.history.begin(), spec.history.end());
    out.resize(out.size() + num_history - spec.history.size(), 0.0);
    if (glm.has_bias()) out.push_back(spec.bias);
  } else if (spec.truth == "values") {
    out = spec.values;
  } else if (const auto* population = dynamic_cast<const models::Population*>(&model)) {
    // every cell with a filter of its own
    const models::Glm& cell = population->glm();
    for (std::uint64_t c = 0; c < model.num_cells; ++c) {
      const std::vector<double> weights = initial_truth(spec, cell, shape, Stream(seed, Purpose::truth, c, 1)());
      out.insert(out.end(), weights.begin(), weights.end());
    }
  } else if (const auto* process = dynamic_cast<const models::GaussianProcess*>(&model)) {
    Stream stream(seed, Purpose::truth);
    out = process->draw_truth(stream);
  } else {
    Stream stream(seed, Purpose::truth);
    if (const auto* samples = dynamic_cast<const models::TextModel*>(&model)) {
      out.resize(model.num_parameters);
      samples->text().draw_prior(stream, out);
      return out;
    }
    const auto prior = model.prior();
    if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(prior.get())) {
      out.resize(model.num_parameters);
      numerics::draw_normal(gaussian->mean, gaussian->covariance, stream, out);
    } else {
      const auto& grid = dynamic_cast<const models::GridModel&>(model);
      out.resize(model.num_parameters);
      if (!grid.family().draw_prior(stream, out))
        grid.node(static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(grid.num_nodes()))), out);
    }
  }
  if (out.size() != model.num_parameters)
    throw SpecError({"subject.values", fmt::format("{} numbers, one for each parameter of the model", model.num_parameters),
                     fmt::format("{}", out.size()), ""});
  return out;
}

std::unique_ptr<Subject> make_simulated(const SubjectSpec& spec, const models::Model& model, std::vector<double> truth,
                                        std::vector<double> duration_ms, std::uint64_t seed) {
  const bool counts = model.response_kind == ResponseKind::counts;
  const auto* text = dynamic_cast<const models::TextModel*>(&model);
  if (spec.lapse > 0 && (model.response_kind == ResponseKind::trace || (text && (model.has_context || model.num_cells > 1))))
    throw SpecError({"subject.lapse", "0 for traces, for several responses of a text and for one with states",
                     number_text(spec.lapse),
                     "A model written as text may have lapses of its own: mixture(1 - lapse, …, lapse, …)."});
  if (spec.overdispersion > 0 && !counts)
    throw SpecError({"subject.overdispersion", "0 for responses that are not counts", number_text(spec.overdispersion), ""});
  if (spec.overdispersion > 0 && text && !text->text().has_rates())
    throw SpecError({"subject.overdispersion", "0 for counts without a rate", number_text(spec.overdispersion),
                     "A binomial law has a number of tries, which is whole."});
  if (spec.sorter_limit && !counts)
    throw SpecError({"subject.sorter_limit", "absent for responses that are not counts", number_text(*spec.sorter_limit),
                     text ? "A text says what is seen between limits: censored(law(…), low, high)." : ""});
  if (spec.drift_per_s > 0 && !dynamic_cast<const models::Glm*>(&model))
    throw SpecError({"subject.drift_per_s", "0 for a model on a grid", number_text(spec.drift_per_s),
                     "A random walk would leave the parameters' domains."});
  return std::make_unique<SimulatedSubject>(spec, model, std::move(truth), std::move(duration_ms), seed);
}

}  // namespace hartline::loop
