// Every indicator and opsin of the library reads, and says where each number is from.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "instruments/indicator.hpp"
#include "instruments/opsin.hpp"
#include "io/toml.hpp"

namespace hartline::instruments {
namespace {

Indicator indicator(const std::string& file) {
  return read_indicator(io::read_toml(HARTLINE_LIBRARY "/indicators/" + file + ".toml"), {"", file + ".toml"});
}

TEST(LibraryIndicators, AllReadAndSayTheirSources) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(HARTLINE_LIBRARY "/indicators")) {
    if (entry.path().extension() != ".toml") continue;
    const Indicator one = indicator(entry.path().stem());
    names.insert(one.name);
    Indicator::describe([&](std::string_view field, auto member, auto&&...) {
      if constexpr (std::is_same_v<decltype(member), Sourced Indicator::*>) {
        const std::string& source = (one.*member).source;
        const bool cites = source.find(" 20") != std::string::npos,
                   says = source.starts_with("none") || source.starts_with("given");
        EXPECT_TRUE((one.*member).assumed() || cites || says) << one.name << " " << field << ": " << source;
      }
    });
  }
  const std::set<std::string> wanted{"Ace2N-mNeonGreen", "Ace2N-mScarlet", "VARNAM",    "MacQ-mCitrine", "MacQ-mOrange", "Arch",
                                     "Archer1",          "Archer2",        "QuasAr1",   "QuasAr2",       "QuasAr3",      "Archon1",
                                     "Archon2",          "ArcLight",       "Bongwoori", "ASAP2s",        "ASAP3",        "HASAP",
                                     "HArcLight"};
  EXPECT_EQ(names, wanted);
}

TEST(LibraryIndicators, SomeDoNotRespondToTwoPhotons) {
  for (const char* file : {"ace2n_mneongreen", "archon1", "quasar2", "quasar3"})
    EXPECT_EQ(indicator(file).two_photon_sensitivity.value, 0) << file;
  for (const char* file : {"asap2s", "asap3", "arclight"}) EXPECT_LT(indicator(file).two_photon_sensitivity.value, 0) << file;
}

TEST(LibraryOpsins, ChannelrhodopsinIsClosedInTheDark) {
  const Opsin opsin = read_opsin(io::read_toml(HARTLINE_LIBRARY "/opsins/chr2.toml"), {"", "chr2.toml"});
  EXPECT_EQ(opsin.steady_current_na(0, -70), 0);
  EXPECT_LT(opsin.steady_current_na(10, -70), 0);
}

TEST(LibraryIndicators, WrongFilesAreToldWhereAndWhy) {
  const Table right = io::read_toml(HARTLINE_LIBRARY "/indicators/asap3.toml");
  const auto message = [&](const char* key, Table value) {
    Table wrong = right;
    wrong.set(key, std::move(value));
    try {
      read_indicator(wrong, {"indicator", "asap3.toml"});
    } catch (const SpecError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto entry = [](double value, const char* unit, const char* source) {
    Table out;
    out.set("value", value);
    out.set("unit", unit);
    out.set("source", source);
    return out;
  };
  EXPECT_EQ(message("on_fast", entry(-1, "ms", "assumed")), "indicator.on_fast: must be > 0 ms (got -1 ms).");
  EXPECT_EQ(message("on_fast", entry(1, "mV", "assumed")), "indicator.on_fast.unit: must be a unit like ms (got \"mV\").");
  EXPECT_EQ(message("on_fast", entry(1, "ms", "")),
            "indicator.on_fast.source: must be given (got \"\"). Write assumed where there is none.");
  Table silent;
  silent.set("value", 1.0);
  silent.set("unit", "ms");
  EXPECT_NE(message("on_fast", silent).find("indicator.on_fast.source"), std::string::npos);
  Table scaled = right;
  scaled.set("on_fast", entry(900, "us", "assumed"));
  EXPECT_NEAR(read_indicator(scaled, {"", ""}).on_fast.value, 0.9, 1e-12);
}

}  // namespace
}  // namespace hartline::instruments
