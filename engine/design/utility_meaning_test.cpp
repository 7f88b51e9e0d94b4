#include "design/utility_meaning.hpp"

#include <gtest/gtest.h>

namespace hartline::design {
namespace {

UtilityMeaning meaning(const std::string& utility, const models::Capability& prior, ResponseKind response = ResponseKind::counts,
                       const std::string& kind = "infomax") {
  DesignSpec spec;
  spec.kind = kind;
  spec.utility = utility;
  return utility_meaning(spec, prior, response);
}

models::GaussianView linear(const models::ResponseLaw& law) {
  models::GaussianView view;
  view.law = &law;
  return view;
}

const models::ResponseLaw exponential = models::make_response_law("poisson", "exp", 0.1, 1, "model");
const models::ResponseLaw trace = models::make_response_law("gaussian", "identity", 0.1, 1, "model");
const models::ResponseLaw choice = models::make_response_law("bernoulli", "logistic", 0.1, 1, "model");

TEST(UtilityMeaning, AutoIsAnInformationButForProcesses) {
  models::FunctionView process;
  process.law = &exponential;
  EXPECT_EQ(meaning("auto", linear(exponential)).name, "laplace_information");
  EXPECT_EQ(meaning("auto", models::DiscreteView{}).name, "mutual_information");
  EXPECT_EQ(meaning("auto", models::CandidatesView{}).name, "model_information");
  EXPECT_EQ(meaning("auto", process).name, "mmse");
  EXPECT_EQ(meaning("auto", process).unit, "spikes²");
  EXPECT_FALSE(meaning("auto", process).is_information);
  EXPECT_EQ(meaning("auto", process, ResponseKind::counts, "uncertainty").name, "response_sd");
  EXPECT_EQ(meaning("auto", linear(exponential), ResponseKind::counts, "uncertainty").name, "posterior_variance");
  EXPECT_EQ(meaning("auto", linear(exponential), ResponseKind::counts, "random"), UtilityMeaning{});
}

TEST(UtilityMeaning, EveryUtilityThatMayBeAskedForHasWordsAndUnit) {
  for (const char* name : {"laplace_information", "first_order_information", "mutual_information", "target", "model_information"}) {
    EXPECT_EQ(meaning(name, linear(exponential)).unit, "nats") << name;
    EXPECT_TRUE(meaning(name, linear(exponential)).is_information) << name;
    EXPECT_FALSE(meaning(name, linear(exponential)).label.empty()) << name;
  }
  const std::pair<const char*, const char*> others[] = {{"posterior_variance", "squared log rate"},
                                                        {"parameter_variance", "weight²"},
                                                        {"prediction_error", "squared log rate"},
                                                        {"expected_response", "spikes"},
                                                        {"upper_confidence", "spikes"},
                                                        {"response_sd", "spikes"},
                                                        {"mmse", "spikes²"}};
  for (const auto& [name, unit] : others) {
    EXPECT_EQ(meaning(name, linear(exponential)).unit, unit) << name;
    EXPECT_FALSE(meaning(name, linear(exponential)).is_information) << name;
    EXPECT_FALSE(meaning(name, linear(exponential)).label.empty()) << name;
  }
}

TEST(UtilityMeaning, UnitsFollowLinkAndResponse) {
  EXPECT_EQ(meaning("posterior_variance", linear(trace), ResponseKind::trace).unit, "response²");
  EXPECT_EQ(meaning("posterior_variance", linear(choice), ResponseKind::choice).unit, "squared log odds");
  EXPECT_EQ(meaning("expected_response", linear(choice), ResponseKind::choice).unit, "");
  EXPECT_EQ(meaning("posterior_variance", models::DiscreteView{}).unit, "spikes²");
  EXPECT_EQ(meaning("parameter_variance", models::DiscreteView{}).unit, "parameter²");
}

TEST(UtilityMeaning, TimeAndCostsMakeItAnotherUnitOrAnotherThing) {
  DesignSpec spec;
  spec.per_second = true;
  EXPECT_EQ(utility_meaning(spec, linear(exponential), ResponseKind::counts).unit, "nats/s");
  EXPECT_FALSE(utility_meaning(spec, linear(exponential), ResponseKind::counts).is_information);
  spec.utility = "expected_response";
  EXPECT_EQ(utility_meaning(spec, linear(choice), ResponseKind::choice).unit, "1/s");
  spec = {};
  spec.cost = {0.1, 0.2};
  EXPECT_EQ(utility_meaning(spec, linear(exponential), ResponseKind::counts).unit, "nats");
  EXPECT_FALSE(utility_meaning(spec, linear(exponential), ResponseKind::counts).is_information);
  EXPECT_NE(utility_meaning(spec, linear(exponential), ResponseKind::counts).label.find("cost"), std::string::npos);
}

}  // namespace
}  // namespace hartline::design
