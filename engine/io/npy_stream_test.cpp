#include "io/npy_stream.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.hpp"
#include "io/npy.hpp"
#include "io/temporary_folder.hpp"

namespace hartline::io {
namespace {

TEST(NpyStream, GrowsToWhatWasPut) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/rows.npy";
  NpyStream stream(path, 3);
  std::vector<double> all;
  for (int k = 0; k < 10000; ++k) {
    const double row[] = {k + 0.5, -k * 1e-300, 1.0 / (k + 1)};
    stream.put(row);
    all.insert(all.end(), row, row + 3);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  stream.close();
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
  const Array read = read_npy(path);
  EXPECT_EQ(read.shape, (std::vector<std::int64_t>{10000, 3}));
  EXPECT_EQ(read.values, all);
}

TEST(NpyStream, EmptyOnesHaveNoRows) {
  const TemporaryFolder folder;
  NpyStream stream(folder.path() + "/none.npy", 2);
  stream.close();
  EXPECT_EQ(read_npy(folder.path() + "/none.npy").shape, (std::vector<std::int64_t>{0, 2}));
}

TEST(NpyStream, TellsOfAFolderThatIsNotThere) {
  EXPECT_THROW(NpyStream("/nowhere/at/all.npy", 1), IoError);
}

}  // namespace
}  // namespace hartline::io
