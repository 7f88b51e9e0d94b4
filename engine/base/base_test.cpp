#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "base/describe.hpp"
#include "base/histogram.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "base/trial.hpp"

namespace hartline {
namespace {

struct Inner {
  double width_ms = 1;
  template <class Field>
  static void describe(Field&& field) {
    field("width_ms", &Inner::width_ms, "ms", positive(), "a width");
  }
};

struct Outer {
  std::string search = "ball";
  std::int64_t count = 3;
  std::vector<double> weights;
  Inner inner;
  std::optional<double> deadline_ms;
  template <class Field>
  static void describe(Field&& field) {
    field("search", &Outer::search, "", one_of({"pool", "ball", "box"}), "how to search");
    field("count", &Outer::count, "", required(between(1, 10)), "how many");
    field("weights", &Outer::weights, "", any(), "weights");
    field("inner", &Outer::inner, "", any(), "a table");
    field("deadline_ms", &Outer::deadline_ms, "ms", positive(), "a deadline");
  }
};

Outer read_outer(const Table& table) {
  Outer out;
  read_table(table, {"design", "x.toml"}, out);
  return out;
}

std::string message_of(const Table& table) {
  try {
    read_outer(table);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "no error";
}

Table with(std::string_view key, Value value) {
  Table table;
  table.set("count", 3);
  table.set(key, std::move(value));
  return table;
}

TEST(Describe, WritesAndReadsBackTheSameStruct) {
  Outer out;
  out.weights = {1, 2.5};
  out.inner.width_ms = 7;
  out.deadline_ms = 2;
  const Value value = to_value(out);
  const Outer again = read_outer(*value.table());
  EXPECT_EQ(to_value(again), value);
  EXPECT_EQ(again.inner.width_ms, 7);
}

TEST(Describe, NamesTheNearestChoice) {
  EXPECT_EQ(message_of(with("search", "bal")),
            "design.search: must be one of pool, ball, box (got \"bal\"). Did you mean \"ball\"?");
}

TEST(Describe, NamesTheNearestKey) {
  EXPECT_NE(message_of(with("serch", "ball")).find("Did you mean \"search\"?"), std::string::npos);
}

TEST(Describe, RefusesValuesOutsideTheConstraintWithTheirUnit) {
  Table inner;
  inner.set("width_ms", -0.2);
  EXPECT_EQ(message_of(with("inner", inner)), "design.inner.width_ms: must be > 0 ms (got -0.2 ms).");
  inner.set("width_ms", std::nan(""));
  EXPECT_EQ(message_of(with("inner", inner)), "design.inner.width_ms: must be a finite number (got nan ms).");
}

TEST(Describe, RefusesMissingKeysAndWrongKinds) {
  EXPECT_NE(message_of(Table{}).find("design.count: must be given"), std::string::npos);
  EXPECT_EQ(message_of(with("weights", "many")), "design.weights: must be a list (got a text \"many\").");
  EXPECT_EQ(message_of(with("count", 2.5)), "design.count: must be a whole number (got a number 2.5).");
}

TEST(Random, StreamsDependOnEveryPartOfTheirName) {
  std::set<std::uint64_t> first;
  for (std::uint64_t seed : {1u, 2u})
    for (Purpose purpose : {Purpose::truth, Purpose::response})
      for (std::uint64_t trial : {0u, 1u})
        for (std::uint64_t index : {0u, 1u}) first.insert(Stream(seed, purpose, trial, index)());
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(Stream(1, Purpose::truth, 2, 3)(), Stream(1, Purpose::truth, 2, 3)());
}

// Mean and variance of 200,000 draws; each bound is five standard errors, so a false alarm has a chance below 1e-5.
TEST(Random, DrawsHaveTheMomentsOfTheirLaws) {
  constexpr int n = 200000;
  Stream stream(7, Purpose::test);
  const auto check = [&](auto draw, double mean, double variance, double fourth) {
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const double x = draw();
      sum += x;
      squares += (x - mean) * (x - mean);
    }
    EXPECT_NEAR(sum / n, mean, 5 * std::sqrt(variance / n));
    EXPECT_NEAR(squares / n, variance, 5 * std::sqrt((fourth - variance * variance) / n));
  };
  check([&] { return stream.uniform(); }, 0.5, 1. / 12, 1. / 80);
  check([&] { return stream.normal(); }, 0, 1, 3);
  check([&] { return stream.poisson(3.5); }, 3.5, 3.5, 3.5 * (1 + 3 * 3.5));
  check([&] { return stream.gamma(2, 0.5); }, 1, 0.5, 0.5 * 0.5 * (3 + 6. / 2));
}

TEST(Threads, EveryBlockRunsExactlyOnce) {
  for (int threads : {1, 2, 8}) {
    const auto executor = make_executor(threads);
    std::vector<int> runs(1000, 0);
    executor->for_each_block(1000, [&](int block) { ++runs[static_cast<std::size_t>(block)]; });
    EXPECT_EQ(runs, std::vector<int>(1000, 1));
  }
}

TEST(Histogram, PercentilesAreWithinNinePercent) {
  Histogram histogram;
  for (int i = 1; i <= 10000; ++i) histogram.add(i * 1000);
  EXPECT_NEAR(histogram.percentile_ns(0.5) / 5e6, 1, 0.09);
  EXPECT_NEAR(histogram.percentile_ns(0.99) / 9.9e6, 1, 0.09);
  EXPECT_EQ(histogram.max_ns(), 10000000);
}

TEST(Trial, ContentHashSeesEveryBit) {
  const double a[] = {0.0, 1.0}, b[] = {-0.0, 1.0};
  EXPECT_NE(content_hash(a, 2), content_hash(b, 2));
}

TEST(Value, TomlTextQuotesWhatNeedsIt) {
  Table inner;
  inner.set("a key", std::string("say \"hi\""));
  Table table;
  table.set("inner", inner);
  table.set("x", 3.0);
  EXPECT_EQ(to_toml(table), "x = 3.0\n\n[inner]\n\"a key\" = \"say \\\"hi\\\"\"\n");
}

}  // namespace
}  // namespace hartline
