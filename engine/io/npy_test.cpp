#include "io/npy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "io/file.hpp"
#include "io/temporary_folder.hpp"

namespace hartline::io {
namespace {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A file as numpy lays it out.
std::string npy(const std::string& header, const std::string& values, int major = 1) {
  std::string out = "\x93NUMPY";
  out += {static_cast<char>(major), '\0'};
  const auto size = static_cast<std::uint32_t>(header.size());
  out.append(reinterpret_cast<const char*>(&size), major == 1 ? 2 : 4);
  return out + header + values;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }   \n";
}

std::string message_of(const std::string& bytes) {
  try {
    parse_npy(bytes, "x.npy");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
void expect_type(const std::string& descr, const std::vector<T>& values) {
  const Array array = parse_npy(npy(header(descr, "(" + std::to_string(values.size()) + ",)"), bytes_of(values)), "x.npy");
  ASSERT_EQ(array.values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(array.values[i], static_cast<double>(values[i])) << descr;
}

TEST(Npy, EveryElementTypeBecomesDouble) {
  expect_type<double>("<f8", {0.1, -5e-324, std::numeric_limits<double>::infinity()});
  expect_type<float>("<f4", {0.1f, -1e-45f});
  expect_type<std::int8_t>("|i1", {-128, 127});
  expect_type<std::uint8_t>("|u1", {0, 255});
  expect_type<std::int16_t>("<i2", {-32768, 32767});
  expect_type<std::uint16_t>("<u2", {65535});
  expect_type<std::int32_t>("<i4", {-2147483647, 2147483647});
  expect_type<std::uint32_t>("<u4", {4294967295u});
  expect_type<std::int64_t>("<i8", {-(std::int64_t{1} << 53), std::numeric_limits<std::int64_t>::min()});
  expect_type<std::uint64_t>("<u8", {std::uint64_t{1} << 63});
  expect_type<std::uint8_t>("|b1", {0, 1});
}

TEST(Npy, WholeNumbersThatADoubleCannotHoldAreRefused) {
  EXPECT_EQ(message_of(npy(header("<i8", "(2,)"), bytes_of<std::int64_t>({1, (std::int64_t{1} << 53) + 1}))),
            "x.npy: must be an array whose values a double can hold (got a 64-bit integer beyond 2^53 at index 1). "
            "Convert it with numpy.asarray(x, dtype=\"<f8\") before saving, if rounding is what you want.");
  EXPECT_NE(message_of(npy(header("<i8", "(1,)"), bytes_of<std::int64_t>({std::numeric_limits<std::int64_t>::max()}))), "no error");
  const std::vector<std::uint64_t> largest{std::numeric_limits<std::uint64_t>::max()};
  EXPECT_NE(message_of(npy(header("<u8", "(1,)"), bytes_of(largest))), "no error");
}

TEST(Npy, FortranOrderIsTurnedIntoRowMajor) {
  const std::vector<double> values{0, 3, 1, 4, 2, 5};
  EXPECT_EQ(parse_npy(npy(header("<f8", "(2, 3)", "True"), bytes_of(values)), "x"), (Array{{2, 3}, {0, 1, 2, 3, 4, 5}}));
  std::vector<double> cube(24);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) cube[static_cast<std::size_t>(i + 2 * (j + 3 * k))] = k + 4 * (j + 3 * i);
  const Array array = parse_npy(npy(header("<f8", "(2, 3, 4)", "True"), bytes_of(cube)), "x");
  for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ(array.values[i], static_cast<double>(i));
}

TEST(Npy, EveryVersionAndShapeReads) {
  for (int major : {1, 2, 3}) EXPECT_EQ(parse_npy(npy(header("<f8", "()"), bytes_of<double>({7}), major), "x"), (Array{{}, {7}}));
  EXPECT_EQ(parse_npy(npy(header("<f8", "(0, 3)"), ""), "x"), (Array{{0, 3}, {}}));
  EXPECT_EQ(parse_npy(npy(header("<f8", "(0, 4611686018427387904)", "True"), ""), "x").values.size(), 0u);
  EXPECT_EQ(parse_npy(npy("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|u1\"}", "ab"), "x"), (Array{{2}, {97, 98}}));
}

TEST(Npy, MalformedFilesAreRefusedByName) {
  const std::string good = npy(header("<f8", "(2,)"), bytes_of<double>({1, 2}));
  EXPECT_EQ(message_of(good), "no error");
  EXPECT_EQ(message_of("PK\x03\x04"),
            "x.npy: must be a .npy file (got a file that does not start as one). Write it with numpy.save.");
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_NE(message_of(good.substr(0, size)), "no error") << size;
  EXPECT_EQ(message_of(good.substr(0, good.size() - 1)),
            "x.npy: must be a .npy file (got 15 bytes of values where the shape [2] asks for 16). Write it again with numpy.save.");
  EXPECT_NE(message_of(good + "x"), "no error");
  EXPECT_EQ(message_of(npy(header("<f8", "(2,)"), "", 4)),
            "x.npy: must be a .npy file (got version 4.0). Versions 1.0, 2.0 and 3.0 are read.");
  EXPECT_EQ(message_of(npy(header("<f8", "(4294967296, 4294967296)"), "")),
            "x.npy: must be a .npy file (got 0 bytes of values where the shape [4294967296, 4294967296] asks for more than any "
            "file holds). Write it again with numpy.save.");
  EXPECT_NE(message_of(npy(header("<f8", "(-1,)"), "")), "no error");
  EXPECT_NE(message_of(npy(header("<f8", "(99999999999999999999,)"), "")), "no error");
  EXPECT_NE(message_of(npy(header("<f8", "2"), bytes_of<double>({1, 2}))), "no error");
  EXPECT_NE(message_of(npy("{'descr': '<f8', 'shape': (0,)}", "")), "no error");
  EXPECT_NE(message_of(npy("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (0,)}", "")), "no error");
  EXPECT_NE(message_of(npy(header("<f8", "(0,)") + "x", "")), "no error");
  EXPECT_NE(message_of(npy(header("|b1", "(1,)"), "\x02")), "no error");
}

TEST(Npy, OtherElementTypesAreRefusedWithTheWayOut) {
  for (const char* descr : {"|O", ">f8", "<c16", "<f2", "<U4", "=f8", "<M8[ns]"})
    EXPECT_EQ(message_of(npy(header(descr, "(0,)"), "")),
              std::string("x.npy: must be an array of bool, int8 … int64, uint8 … uint64, float32 or float64, little-endian "
                          "(got the element type \"") +
                  descr + "\"). Convert it with numpy.asarray(x, dtype=\"<f8\") before saving.");
  EXPECT_EQ(message_of(npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (0,)}", "")),
            "x.npy: must be an array of plain numbers (got an array of records). Save one field at a time.");
}

TEST(Npy, WrittenFilesReadBackBitForBitAndAreAligned) {
  TemporaryFolder folder;
  const double inf = std::numeric_limits<double>::infinity();
  const Array arrays[] = {{{2, 3}, {0.1, -0.0, inf, -inf, 5e-324, 1e308}}, {{}, {3}}, {{3}, {1, 2, 3}}, {{0}, {}}};
  for (const Array& array : arrays) {
    write_npy(folder / "x.npy", array);
    const Array back = read_npy(folder / "x.npy");
    EXPECT_EQ(back.shape, array.shape);
    EXPECT_EQ(bytes_of(back.values), bytes_of(array.values));
    EXPECT_EQ((read_text(folder / "x.npy").size() - 8 * array.values.size()) % 64, 0u);
  }
  write_npy(folder / "x.npy", {{1}, {std::nan("")}});
  EXPECT_TRUE(std::isnan(read_npy(folder / "x.npy").values[0]));
  EXPECT_THROW(write_npy(folder / "x.npy", {{2}, {1}}), SpecError);
}

}  // namespace
}  // namespace hartline::io
