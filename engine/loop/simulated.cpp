#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "loop/subject.hpp"
#include "models/glm.hpp"
#include "models/grid.hpp"

namespace hartline::loop {

namespace {

std::vector<double> gabor(const GaborSpec& spec, const std::vector<std::int64_t>& shape, double gain) {
  if (shape.size() != 2)
    throw SpecError({"stimulus.shape", "[rows, columns] for truth gabor", fmt::format("{} numbers", shape.size()), ""});
  std::vector<double> out;
  const double angle = spec.orientation_deg * std::numbers::pi / 180, phase = spec.phase_deg * std::numbers::pi / 180;
  double norm = 0;
  for (std::int64_t row = 0; row < shape[0]; ++row)
    for (std::int64_t column = 0; column < shape[1]; ++column) {
      const double x = static_cast<double>(column) - 0.5 * static_cast<double>(shape[1] - 1) - spec.offset_x_px;
      const double y = static_cast<double>(row) - 0.5 * static_cast<double>(shape[0] - 1) - spec.offset_y_px;
      const double along = x * std::cos(angle) + y * std::sin(angle), across = -x * std::sin(angle) + y * std::cos(angle);
      const double envelope =
          std::exp(-(along * along + spec.aspect * spec.aspect * across * across) / (2 * spec.sigma_px * spec.sigma_px));
      out.push_back(envelope * std::cos(2 * std::numbers::pi * along / spec.wavelength_px + phase));
      norm += out.back() * out.back();
    }
  if (!(norm > 0)) throw SpecError({"subject.gabor", "different from zero on the stimulus", "0 everywhere", ""});
  for (double& k : out) k *= gain / std::sqrt(norm);
  return out;
}

class SimulatedSubject final : public Subject {
 public:
  SimulatedSubject(const SubjectSpec& spec, const models::Model& model, std::vector<double> truth, std::uint64_t seed)
      : spec_(spec), model_(model), theta_(std::move(truth)), seed_(seed) {}

  void present(std::span<const double> values, Trial& trial) override {
    drift_to(trial.index);
    Stream stream(seed_, Purpose::response, static_cast<std::uint64_t>(trial.index));
    answer_as_requested(trial, "subject", spec_.trial_ms, model_.response_kind, respond(values, stream));
  }

  std::vector<double> truth() const override { return theta_; }

 private:
  double respond(std::span<const double> x, Stream& stream) {
    if (spec_.lapse > 0 && stream.uniform() < spec_.lapse)
      return model_.response_kind == ResponseKind::choice ? static_cast<double>(stream.integer(2)) : 0;
    models::Context context = model_.start();
    if (spec_.overdispersion > 0) context.gain = stream.gamma(1 / spec_.overdispersion, spec_.overdispersion);
    double response = 0;
    model_.sample(theta_, x, context, stream, {&response, 1});
    return response;
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
  std::int64_t trial_ = 0;
  std::uint64_t seed_;
};

}  // namespace

std::vector<double> initial_truth(const SubjectSpec& spec, const models::Model& model, const std::vector<std::int64_t>& shape,
                                  std::uint64_t seed) {
  std::vector<double> out;
  if (spec.truth == "gabor") {
    if (!dynamic_cast<const models::Glm*>(&model))
      throw SpecError({"subject.truth", "prior or values for this model", "\"gabor\"", ""});
    out = gabor(spec.gabor, shape, spec.gain);
    if (model.num_parameters > model.stimulus_dim) out.push_back(spec.bias);
  } else if (spec.truth == "values") {
    out = spec.values;
  } else {
    Stream stream(seed, Purpose::truth);
    const auto prior = model.prior();
    if (const auto* gaussian = dynamic_cast<const models::GaussianBelief*>(prior.get())) {
      for (std::size_t i = 0; i < model.num_parameters; ++i)
        out.push_back(gaussian->mean[i] + std::sqrt(gaussian->covariance[i * model.num_parameters + i]) * stream.normal());
    } else {
      const auto& grid = dynamic_cast<const models::GridModel&>(model);
      out.resize(model.num_parameters);
      grid.node(static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(grid.num_nodes()))), out);
    }
  }
  if (out.size() != model.num_parameters)
    throw SpecError({"subject.values", fmt::format("{} numbers, one for each parameter of the model", model.num_parameters),
                     fmt::format("{}", out.size()), ""});
  return out;
}

std::unique_ptr<Subject> make_simulated(const SubjectSpec& spec, const models::Model& model, std::vector<double> truth,
                                        std::uint64_t seed) {
  if (spec.overdispersion > 0 && model.response_kind != ResponseKind::counts)
    throw SpecError({"subject.overdispersion", "0 for responses that are not counts", number_text(spec.overdispersion), ""});
  if (spec.drift_per_s > 0 && !dynamic_cast<const models::Glm*>(&model))
    throw SpecError({"subject.drift_per_s", "0 for a model on a grid", number_text(spec.drift_per_s),
                     "A random walk would leave the parameters' domains."});
  return std::make_unique<SimulatedSubject>(spec, model, std::move(truth), seed);
}

}  // namespace hartline::loop
