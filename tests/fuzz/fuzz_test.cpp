// The fuzzers' targets on seeds that are changed in fixed ways, so that every ordinary and every sanitizer run has them.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"
#include "targets.hpp"

namespace hartline::fuzz {
namespace {

class Fuzz : public testing::TestWithParam<Target> {
 protected:
  const Target& target() const { return GetParam(); }
  Stream stream{11, Purpose::test};
};

INSTANTIATE_TEST_SUITE_P(Every, Fuzz, testing::ValuesIn(targets()), [](const auto& kind) { return std::string(kind.param.name); });

std::size_t position(Stream& stream, std::size_t size) {
  return static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(size)));
}

TEST_P(Fuzz, SeedsCutShortAreReadOrRefused) {
  for (const std::string& seed : target().seeds()) {
    // Every offset of a text; a record has tens of thousands, so there every boundary and as many others.
    const std::size_t step = seed.size() > 4000 ? 256 : 1;
    for (std::size_t size = 0; size <= seed.size(); size += step)
      EXPECT_NO_THROW(target().read(std::string_view(seed).substr(0, step == 1 ? size : size + position(stream, 2) * 7))) << size;
  }
}

TEST_P(Fuzz, SeedsWithFlippedBitsAreReadOrRefused) {
  const std::vector<std::string> seeds = target().seeds();
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = seeds[static_cast<std::size_t>(i) % seeds.size()];
    const std::int64_t num_flips = 1 + stream.integer(4);
    for (std::int64_t flip = 0; flip < num_flips; ++flip) {
      char& byte = bytes[position(stream, bytes.size())];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << stream.integer(8)));
    }
    EXPECT_NO_THROW(target().read(bytes)) << i;
  }
}

TEST_P(Fuzz, SeedsSplicedTogetherAreReadOrRefused) {
  const std::vector<std::string> seeds = target().seeds();
  for (int i = 0; i < 1000; ++i) {
    const std::string& from = seeds[position(stream, seeds.size())];
    std::string bytes = seeds[position(stream, seeds.size())];
    const std::size_t size = 1 + position(stream, std::min<std::size_t>(from.size(), 600));
    const std::size_t source = position(stream, from.size()), to = position(stream, bytes.size());
    if (i % 2 == 0)
      bytes.insert(to, from.substr(source, size));
    else
      bytes.replace(to, size, from.substr(source, size));
    EXPECT_NO_THROW(target().read(bytes)) << i;
  }
}

}  // namespace
}  // namespace hartline::fuzz
