#include "design/utility_meaning.hpp"

#include "models/population.hpp"

namespace hartline::design {

namespace {

using models::Link;
using models::ResponseLaw;

std::string squared(const std::string& unit) {
  if (unit.empty()) return unit;
  return unit.find(' ') == std::string::npos ? unit + "²" : "squared " + unit;
}

std::string unit_of_response(ResponseKind kind) {
  if (kind == ResponseKind::counts) return "spikes";
  if (kind == ResponseKind::choice) return "";  // a probability
  return kind == ResponseKind::time ? "s" : "response";
}

std::string unit_of_predictor(const ResponseLaw& law, ResponseKind kind) {
  if (law.link == Link::exp) return law.counts() ? "log rate" : "log response";
  if (law.link == Link::logistic) return "log odds";
  return law.counts() ? "Hz" : unit_of_response(kind);
}

/// The law of the response given ρ; null where there is no ρ.
const ResponseLaw* law_of(const models::Capability& prior) {
  if (const auto* view = std::get_if<models::GaussianView>(&prior)) return view->law;
  if (const auto* view = std::get_if<models::FunctionView>(&prior)) return view->law;
  if (const auto* view = std::get_if<models::PopulationView>(&prior)) return &view->model->glm().law;
  return nullptr;
}

}  // namespace

std::string utility_name(const DesignSpec& spec, const models::Capability& prior) {
  const bool process = std::holds_alternative<models::FunctionView>(prior);
  if (spec.kind == "uncertainty") return process ? "response_sd" : "posterior_variance";
  if (spec.utility != "auto") return spec.utility;
  if (process) return "mmse";
  if (std::holds_alternative<models::DiscreteView>(prior) || std::holds_alternative<models::SampleView>(prior))
    return "mutual_information";
  return std::holds_alternative<models::CandidatesView>(prior) ? "model_information" : "laplace_information";
}

UtilityMeaning utility_meaning(const DesignSpec& spec, const models::Capability& prior, ResponseKind response) {
  if (spec.kind != "infomax" && spec.kind != "uncertainty") return {};
  const ResponseLaw* law = law_of(prior);
  const std::string of_response = unit_of_response(response);
  const std::string of_prediction = law ? squared(unit_of_predictor(*law, response)) : squared(of_response);
  const std::string predicted = law ? "linear predictor" : "expected response";
  const struct {
    const char* name;
    std::string label, unit;
  } known[] = {
      {"laplace_information", "expected information", "nats"},
      {"first_order_information", "expected information to first order", "nats"},
      {"mutual_information", "mutual information", "nats"},
      {"target", "expected information about the target", "nats"},
      {"model_information", "expected information about which model is right", "nats"},
      {"posterior_variance", "variance of the " + predicted, of_prediction},
      {"parameter_variance", "expected fall of the parameters' summed variance", law ? "weight²" : "parameter²"},
      {"prediction_error", "expected fall of the mean variance of the " + predicted, of_prediction},
      {"expected_response", "expected response", of_response},
      {"upper_confidence", "upper confidence bound of the expected response", of_response},
      {"response_sd", "standard deviation of the expected response", of_response},
      {"mmse", "expected fall of the summed variance of the expected response", squared(of_response)},
  };
  UtilityMeaning out;
  out.name = utility_name(spec, prior);
  for (const auto& one : known) {
    if (one.name != out.name) continue;
    out.label = one.label;
    out.unit = one.unit;
  }
  out.is_information = out.unit == "nats" && !spec.per_second && spec.cost.empty();
  if (!spec.cost.empty()) out.label += ", less its cost";
  if (spec.per_second) {
    out.label += ", per second";
    out.unit = (out.unit.empty() ? "1" : out.unit) + "/s";
  }
  return out;
}

}  // namespace hartline::design
