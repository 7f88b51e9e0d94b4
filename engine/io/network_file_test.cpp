#include "io/network_file.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"

namespace hartline::io {
namespace {

NetworkFile example() {
  NetworkFile out;
  out.header.set("target", "policy");
  out.header.set("sizes", numbers({1, 2.5}));
  out.numbers = {0.1, -1e300, 5e-324};
  return out;
}

TEST(NetworkFile, ReadsBackToTheBit) {
  const NetworkFile file = example(), back = parse_network(network_bytes(file), "a.policy");
  EXPECT_EQ(back.header, file.header);
  EXPECT_EQ(back.numbers, file.numbers);
  EXPECT_EQ(network_hash(network_bytes(file)).size(), 16u);
}

TEST(NetworkFile, RefusesWhatIsCutOrChanged) {
  const std::string bytes = network_bytes(example());
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_THROW(parse_network(bytes.substr(0, length), "a.policy"), IoError) << length;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_THROW(parse_network(changed, "a.policy"), IoError) << i;
  }
  EXPECT_THROW(parse_network(bytes + "x", "a.policy"), IoError);
  EXPECT_THROW(parse_network("SQLite format 3", "a.policy"), IoError);
  EXPECT_THROW(parse_network("hartline network 1 18446744073709551615 1 0000000000000000\nx", "a.policy"), IoError);
  EXPECT_THROW(parse_network("hartline network 1 1 2305843009213693952 0000000000000000\nx", "a.policy"), IoError);
  try {
    parse_network(bytes.substr(0, bytes.size() - 1), "a.policy");
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("a.policy: must be an intact file"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace hartline::io
