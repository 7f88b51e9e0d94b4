#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "design/test_beliefs.hpp"
#include "models/grid.hpp"

namespace hartline::design {
namespace {

using models::GridModel;

struct Problem {
  StimulusSet set;
  std::unique_ptr<Executor> executor = make_executor(2);
  std::unique_ptr<GridModel> model;
  std::unique_ptr<models::Belief> belief;
  explicit Problem(bool counts_of) {
    set.dim = 1;
    if (counts_of) {
      models::TuningCurveSpec spec;
      spec.centre = {.from = -2, .to = 2, .num = 9};
      spec.width = {.values = {0.7, 1.5}};
      spec.amplitude = {.values = {4, 9}};
      spec.baseline = {.values = {0.5, 2}};
      set.pool = models::Axis{.from = -3, .to = 3, .num = 13}.points("x");
      model = std::make_unique<GridModel>(models::make_family(spec), set.pool, *executor);
    } else {
      models::PsychometricSpec spec;
      spec.threshold = {.from = -30, .to = -10, .num = 11};
      spec.slope = {.values = {2, 3.5}};
      spec.guess = {.values = {.25, .5}};
      spec.lapse = {.values = {.02}};
      set.pool = models::Axis{.from = -35, .to = -5, .num = 13}.points("x");
      model = std::make_unique<GridModel>(models::make_family(spec), set.pool, *executor);
    }
    belief = model->prior();
    Response response{model->response_kind, 1, 1, {counts_of ? 3.0 : 1.0}, {}, ""};
    model->update(*belief, {&set.pool[6], 1}, response, 0);
    response.values = {0};
    model->update(*belief, {&set.pool[3], 1}, response, 0);
  }
  const std::vector<double>& weights() const { return dynamic_cast<const models::GridBelief&>(*belief).weights; }
  std::vector<double> parameters(std::size_t n) const {
    std::vector<double> out(model->num_parameters);
    model->node(n, out);
    return out;
  }
};

TEST(DiscreteUtilities, AgreeWithBruteForce) {
  for (const bool counts_of : {true, false}) {
    const Problem p(counts_of);
    const std::size_t num_nodes = p.model->num_nodes(), num_y = counts_of ? 80 : 2;
    DesignSpec variance, error, target, response, bound;
    variance.utility = "parameter_variance";
    error.utility = "prediction_error";
    target.utility = "target";
    target.target = {0, Target(p.model->parameter_names[2].c_str())};
    response.utility = "expected_response";
    bound.utility = "upper_confidence";
    bound.kappa = 2;
    for (const DesignSpec& spec : {variance, error, target, response, bound}) {
      const auto design = make_design(spec, p.set, p.model->capability(*p.belief), p.model->parameter_names, 1, *p.executor);
      const auto utilities = design->utilities(*design->make_plan(), p.model->capability(*p.belief));
      for (std::size_t x = 0; x < p.set.num(); x += 4) {
        // the joint law of outcome and node
        std::vector<std::vector<double>> joint(num_y, std::vector<double>(num_nodes));
        std::vector<double> of_y(num_y, 0.0);
        for (std::size_t y = 0; y < num_y; ++y)
          for (std::size_t n = 0; n < num_nodes; ++n) {
            joint[y][n] =
                p.weights()[n] * std::exp(p.model->log_likelihood(p.parameters(n), {&p.set.pool[x], 1}, static_cast<double>(y)));
            of_y[y] += joint[y][n];
          }
        const auto expected_fall = [&](auto&& value) {
          double mean = 0, square = 0, later = 0;
          for (std::size_t n = 0; n < num_nodes; ++n) {
            mean += p.weights()[n] * value(n);
            square += p.weights()[n] * value(n) * value(n);
          }
          for (std::size_t y = 0; y < num_y; ++y) {
            double here = 0, squared = 0;
            for (std::size_t n = 0; n < num_nodes; ++n) {
              here += joint[y][n] / of_y[y] * value(n);
              squared += joint[y][n] / of_y[y] * value(n) * value(n);
            }
            later += of_y[y] * (squared - here * here);
          }
          return square - mean * mean - later;
        };
        double wanted = 0;
        if (spec.utility == "parameter_variance")
          for (std::size_t k = 0; k < p.model->num_parameters; ++k)
            wanted += expected_fall([&](std::size_t n) { return p.parameters(n)[k]; });
        if (spec.utility == "prediction_error")
          for (std::size_t other = 0; other < p.set.num(); ++other)
            wanted +=
                expected_fall([&](std::size_t n) { return p.model->node_response(n, other); }) / static_cast<double>(p.set.num());
        if (spec.utility == "target") {
          std::map<std::pair<double, double>, double> of_target;
          std::vector<std::map<std::pair<double, double>, double>> both(num_y);
          for (std::size_t n = 0; n < num_nodes; ++n) {
            const std::pair<double, double> key{p.parameters(n)[0], p.parameters(n)[2]};
            of_target[key] += p.weights()[n];
            for (std::size_t y = 0; y < num_y; ++y) both[y][key] += joint[y][n];
          }
          for (std::size_t y = 0; y < num_y; ++y)
            for (const auto& [key, q] : both[y])
              if (q > 0) wanted += q * std::log(q / (of_y[y] * of_target[key]));
        }
        if (spec.utility == "expected_response" || spec.utility == "upper_confidence") {
          double square = 0;
          for (std::size_t n = 0; n < num_nodes; ++n) {
            wanted += p.weights()[n] * p.model->node_response(n, x);
            square += p.weights()[n] * std::pow(p.model->node_response(n, x), 2);
          }
          if (spec.utility == "upper_confidence") wanted += 2 * std::sqrt(square - wanted * wanted);
        }
        EXPECT_NEAR(utilities[x], wanted, 1e-9 * (1 + wanted)) << spec.utility << ' ' << counts_of << ' ' << x;
      }
    }
  }
}

TEST(DiscreteUtilities, TheCapCountsTheMeanResponse) {
  const Problem p(true);
  DesignSpec spec;
  spec.max_expected_count = 3;
  const auto design = make_design(spec, p.set, p.model->capability(*p.belief), p.model->parameter_names, 1, *p.executor);
  Choice choice;
  design->choose(*design->make_plan(), p.model->capability(*p.belief), 0, {}, choice);
  EXPECT_LE(p.model->mean_response(*p.belief, static_cast<std::size_t>(choice.pool_index)).first, 3);
  const auto u = design->utilities(*design->make_plan(), p.model->capability(*p.belief));
  double best = 0;
  for (std::size_t x = 0; x < p.set.num(); ++x)
    if (p.model->mean_response(*p.belief, x).first <= 3) best = std::max(best, u[x]);
  EXPECT_EQ(choice.utility, best);
  EXPECT_LT(best, *std::max_element(u.begin(), u.end()));
}

TEST(DiscreteUtilities, ImpossibleOnesAreRefusedWithWhatIsPossible) {
  const Problem p(false);
  const auto message = [&](const DesignSpec& spec) -> std::string {
    try {
      make_design(spec, p.set, p.model->capability(*p.belief), p.model->parameter_names, 1, *p.executor);
    } catch (const SpecError& error) {
      return error.what();
    }
    return "";
  };
  DesignSpec spec;
  spec.utility = "laplace_information";
  EXPECT_NE(message(spec).find("mutual_information"), std::string::npos);
  spec.utility = "target";
  EXPECT_NE(message(spec).find("design.target"), std::string::npos);
  spec.target = {7};
  EXPECT_NE(message(spec).find("threshold"), std::string::npos) << message(spec);
  spec.target = {"threshhold + 1"};
  EXPECT_NE(message(spec).find("Did you mean \"threshold\"?"), std::string::npos) << message(spec);
  spec.target = {0};
  EXPECT_EQ(message(spec), "");
}

}  // namespace
}  // namespace hartline::design
