// Whether a population allocates once it is warm.
#include <gtest/gtest.h>

#include "base/threads.hpp"
#include "counted_allocations.hpp"
#include "design/population_pool.hpp"

namespace hartline {
namespace {

TEST(PopulationPool, DoesNotAllocateAfterTheFirstTrials) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  for (const int threads : {1, 2})
    for (const double gain_sd : {0.0, 0.3}) {
      const auto executor = make_executor(threads);
      const models::Population population({.bias = true}, {.prior_sd = 0.4, .drift_per_s = 1e-4},
                                          {.num_cells = 30, .shared_gain_sd = gain_sd, .vanish_after = 3}, 5, {}, *executor);
      design::StimulusSet set;
      set.dim = 5;
      set.pool.resize(5 * 3000);
      Stream(1, Purpose::pool).fill_normal(set.pool);
      design::DesignSpec spec;
      spec.utility = "laplace_information";
      const auto design = make_population_pool_design(spec, population, set, 1, *executor);
      const auto plan = design->make_plan();
      const auto belief = population.prior();
      Response response{ResponseKind::counts, 30, 1, std::vector<double>(30, 1.0), std::vector<Mark>(30, Mark::observed), ""};
      design::Choice choice;
      for (std::uint64_t t = 0; t < 300; ++t) {
        if (t == 100) realtime::begin_to_count();
        design->choose(*plan, population.capability(*belief), t, {}, choice);
        for (std::size_t c = 0; c < 30; ++c) {
          response.values[c] = static_cast<double>((t * 7 + c) % 4);
          response.marks[c] = t % 40 < 10 && c == 3 ? Mark::missing : Mark::observed;
        }
        population.update(*belief, choice.values, response, 1);
        design->follow(*plan, population.capability(*belief), choice.pool_index, choice.values, 0);
      }
      std::int64_t num = 0;
      for (const realtime::ThreadCount& count : realtime::end_to_count()) num += count.num;
      EXPECT_EQ(num, 0) << threads << " threads, gain " << gain_sd;
    }
}

}  // namespace
}  // namespace hartline
