// The study in reduced form: fewer cells, the same sensors.
#include "ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "figure.hpp"

namespace hartline::studies {
namespace {

TEST(Ranking, SimulatedSensorsAreAsShotNoiseSays) {
  Condition condition;
  condition.num_cells = 300;
  const std::vector<Row> rows = rank_indicators(INDICATORS, condition);
  ASSERT_EQ(rows.size(), 19u);
  const auto named = [&](const char* name) {
    return std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
  };
  for (const Row& row : rows) {
    EXPECT_EQ(row.num_values, 12) << row.name;
    for (const int two : {0, 1})  // 76 comparisons at five standard errors: 4 in 100,000 false alarms
      for (const Detectability& d : {row.equal[two], row.own[two]})
        EXPECT_NEAR(d.simulated, d.formula, 5 * d.error) << row.name << two;
    EXPECT_GT(row.equal[0].formula, 0);
  }
  for (const char* name : {"Ace2N-mNeonGreen", "Archon1", "QuasAr2", "QuasAr3"}) {
    ASSERT_NE(named(name), rows.end()) << name;
    EXPECT_EQ(named(name)->equal[1].formula, 0) << name;
  }
  EXPECT_GT(named("ASAP3")->equal[1].formula, 1);
  const std::string figure = draw_figure(rows, condition), table = write_table(rows, condition);
  for (const Row& row : rows) {
    EXPECT_NE(figure.find(">" + row.name + "<"), std::string::npos);
    EXPECT_NE(table.find("| " + row.name + " |"), std::string::npos);
  }
}

TEST(Ranking, MorePhotonsAreSeenByTheirRoot) {
  Condition condition;
  condition.num_cells = 20;
  const std::vector<Row> few = rank_indicators(INDICATORS, condition);
  condition.photons *= 4;
  const std::vector<Row> more = rank_indicators(INDICATORS, condition);
  for (std::size_t k = 0; k < few.size(); ++k) EXPECT_NEAR(more[k].equal[0].formula / few[k].equal[0].formula, 2, 1e-9);
}

}  // namespace
}  // namespace hartline::studies
