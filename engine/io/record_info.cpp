#include "io/record_info.hpp"

#include <charconv>

#include "base/error.hpp"

namespace hartline::io {

std::int64_t window_of(std::string_view durability) {
  constexpr std::string_view prefix = "window:";
  if (durability == "every-trial") return 0;
  if (durability.starts_with(prefix)) {
    const char* end = durability.data() + durability.size();
    std::int64_t window = 0;
    const auto [stop, error] = std::from_chars(durability.data() + prefix.size(), end, window);
    if (error == std::errc() && stop == end && window >= 1) return window;
  }
  throw SpecError({"record.durability", "every-trial or window:n with n >= 1 trials", "\"" + std::string(durability) + "\"", ""});
}

}  // namespace hartline::io
