#include "serve/network_page.hpp"

#include <gtest/gtest.h>

#include "io/npy.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"

namespace hartline::serve {
namespace {

const Value& at(const Value& value, const char* key) { return *value.table()->find(key); }

/// 90,000 spikes of 10 cells are three times what is drawn: those of every third cell, all of them, are there.
TEST(NetworkPage, DrawsWhatFitsAndSaysSo) {
  const io::TemporaryFolder folder;
  Array spikes{{90000, 2}, {}}, rows{{9000, 3}, {}};
  for (int k = 0; k < 90000; ++k) spikes.values.insert(spikes.values.end(), {0.01 * k, static_cast<double>(k % 10)});
  for (int k = 0; k < 9000; ++k) rows.values.insert(rows.values.end(), {0.1 * k, k + 0.5, -k - 0.5});
  io::write_npy(folder.path() + "/spikes.npy", spikes);
  io::write_npy(folder.path() + "/v.npy", rows);
  const Table summary = io::parse_toml(R"(
title = "A title"
simulated_ms = 900.0
times_real_time = 2.0
[neurons.cells]
num = 10
spikes = 90000
mean_rate_hz = 10000.0
[record.spikes]
file = "spikes.npy"
columns = ["time_ms", "neuron"]
units = ["ms", ""]
of = "cells"
[record.v]
file = "v.npy"
columns = ["time_ms", "cells.v[0]", "cells.v[1]"]
units = ["ms", "mV", "mV"]
)",
                                       "summary.toml");
  const Value document = network_document(summary, folder.path(), "text", "command");
  EXPECT_EQ(*at(document, "sentence").text(), "10 neurons, 900 ms of their time.");
  const Value& raster = at(at(document, "network"), "rasters").list()->at(0);
  const List& neurons = *at(raster, "neuron").list();
  EXPECT_EQ(neurons.size(), 36000u);  // cells 0, 3, 6 and 9
  for (const Value& neuron : neurons) EXPECT_EQ(static_cast<int>(std::get<double>(neuron.is)) % 3, 0);
  EXPECT_NE(at(raster, "note").text()->find("90000 spikes in all; those of one neuron in 3"), std::string::npos);
  EXPECT_EQ(std::get<std::int64_t>(at(raster, "num_neurons").is), 10);
  const Value& trace = at(at(document, "network"), "traces").list()->at(0);
  EXPECT_EQ(*at(trace, "name").text(), "cells.v");
  EXPECT_EQ(*at(trace, "unit").text(), "mV");
  EXPECT_EQ(at(trace, "time_ms").list()->size(), 3000u);
  const Value& second = at(trace, "lines").list()->at(1);
  EXPECT_EQ(*at(second, "label").text(), "cells.v[1]");
  EXPECT_EQ(std::get<double>(at(second, "values").list()->at(1).is), -3.5);  // the third row
}

TEST(NetworkPage, OfNothingRecordedIsAPageOfFigures) {
  const Table summary = io::parse_toml(
      "simulated_ms = 10.0\ntimes_real_time = 1.0\n[neurons.cell]\nnum = 1\nspikes = 2\nmean_rate_hz = 200.0\n", "s.toml");
  const Value document = network_document(summary, "", "", "");
  EXPECT_EQ(*at(document, "sentence").text(), "1 neuron, 10 ms of their time.");
  EXPECT_TRUE(at(at(document, "network"), "rasters").list()->empty());
}

}  // namespace
}  // namespace hartline::serve
