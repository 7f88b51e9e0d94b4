// Sizes of arrays whose shapes come from outside and may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hartline::io {

/// Product of a shape; nothing where an axis is negative or the product overflows.
inline std::optional<std::size_t> size_of_shape(const std::vector<std::int64_t>& shape) {
  std::size_t size = 1;
  for (std::int64_t axis : shape)
    if (axis < 0 || __builtin_mul_overflow(size, static_cast<std::size_t>(axis), &size)) return std::nullopt;
  return size;
}

/// "[3, 4]", for messages.
inline std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::int64_t axis : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(axis);
  return text + "]";
}

}  // namespace hartline::io
