// Entry of libFuzzer for the target named by HARTLINE_TARGET when compiling.
#include <cstddef>
#include <cstdint>

#include "targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hartline::fuzz::HARTLINE_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
