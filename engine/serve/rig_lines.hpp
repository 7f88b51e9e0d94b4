// RigLines: a stream of bytes cut into lines.
#pragma once

#include <string>
#include <string_view>

namespace hartline::serve {

/// Bytes in, whole lines out.
class RigLines {
 public:
  explicit RigLines(std::size_t longest) : longest_(longest) {}
  /// Calls `each(line)` until it returns false. False: a line that is not at its end is already too long.
  template <class Each>
  bool add(std::string_view bytes, Each&& each) {
    text_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end; (end = text_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string_view line = std::string_view(text_).substr(begin, end - begin);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (!line.empty() && !each(line)) return true;
    }
    text_.erase(0, begin);
    return text_.size() <= longest_;
  }

 private:
  std::size_t longest_;
  std::string text_;
};

}  // namespace hartline::serve
