#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace hartline {

std::string format(const Fault& fault) {
  std::string text;
  if (!fault.path.empty()) text += fault.path + ": ";
  if (!fault.requirement.empty()) text += "must be " + fault.requirement;
  if (!fault.got.empty())
    text += (fault.requirement.empty() ? "got " : " (got ") + fault.got + (fault.requirement.empty() ? "" : ")");
  if (!fault.requirement.empty() || !fault.got.empty()) text += ".";
  if (!fault.hint.empty()) {
    if (!text.empty() && text.back() != ' ') text += " ";
    text += fault.hint;
  }
  return text;
}

Error::Error(Fault f) : std::runtime_error(format(f)), fault(std::move(f)) {}
Error::Error(const std::string& message) : std::runtime_error(message) { fault.hint = message; }

namespace {
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}
}  // namespace

std::string nearest_name(std::string_view got, std::span<const std::string_view> choices) {
  std::string best;
  int best_distance = static_cast<int>(std::max<std::size_t>(2, got.size() / 2)) + 1;
  for (std::string_view choice : choices) {
    const int distance = edit_distance(got, choice);
    if (distance < best_distance) {
      best_distance = distance;
      best = choice;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view got, std::span<const std::string_view> choices) {
  const std::string nearest = nearest_name(got, choices);
  return nearest.empty() ? "" : "Did you mean \"" + nearest + "\"?";
}

std::string number_text(double value) { return fmt::format("{}", value); }

}  // namespace hartline
