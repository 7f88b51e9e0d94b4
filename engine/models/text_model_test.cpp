#include "models/text_model.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/threads.hpp"
#include "models/grid.hpp"
#include "models/particles.hpp"
#include "models/test_texts.hpp"
#include "models/text_grid.hpp"

namespace hartline::models {
namespace {

/// A preferred direction of 2°, that of 362°: linear means lie on the other side.
TEST(TextModel, AnglesAreSummarisedOnTheirCircle) {
  const auto executor = make_serial_executor();
  for (const char* prior :
       {"circular(0, 360) : deg", "von_mises(180, 0.1) : deg", "mixture(1, von_mises(180, 0.1), 2, von_mises(180, 0.2)) : deg"}) {
    const auto text = test_text({{"d", "range(0, 345, 15) : deg"}}, "r ~ poisson(20 * exp(3 * (cos(d - p) - 1)))", {{"p", prior}});
    const GridModel tables(make_family(text, {90}), text->stimulus[0].values, *executor);
    const TextGrid grid(text, {90}, false, *executor);
    const ParticleModel particles(text, {500, 0.5, 4, 1e6}, 1, *executor);
    for (const Model* model :
         {static_cast<const Model*>(&tables), static_cast<const Model*>(&grid), static_cast<const Model*>(&particles)}) {
      const auto belief = model->prior();
      const double truth = 2;
      for (std::uint64_t t = 0; t < 40; ++t) {
        Stream stream(4, Purpose::test, t);
        const double d = 15 * static_cast<double>(stream.integer(24));
        model->update(*belief, {&d, 1}, test_response(*model, model->sample({&truth, 1}, {&d, 1}, stream)), 0);
      }
      double mean = 0, sd = 0;
      model->summarise(*belief, {&mean, 1}, {&sd, 1});
      EXPECT_NEAR(std::remainder(mean - truth, 360), 0, 4 * sd) << prior;
      EXPECT_TRUE(mean >= 0 && mean < 360) << prior;
      EXPECT_LT(sd, 4) << prior;
      EXPECT_GT(sd, 0.5) << prior;
      const auto* samples = dynamic_cast<const TextModel*>(model);
      if (!samples) continue;
      const auto& of_samples = dynamic_cast<const SampleBelief&>(*belief);
      EXPECT_NEAR(samples->quantile(of_samples, 0, 0.95) - samples->quantile(of_samples, 0, 0.05), 3.3 * sd, 0.9 * sd + 4) << prior;
    }
  }
}

}  // namespace
}  // namespace hartline::models
