// What stands for the enumerators of a trial in text: in records, messages to a rig and Python.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/trial.hpp"

namespace hartline {

constexpr std::array<std::string_view, 4> response_kind_names = {"counts", "trace", "choice", "time"};
constexpr std::array<std::string_view, 4> mark_names = {"observed", "missing", "censored", "blanked"};  // pending is never told
constexpr std::array<std::string_view, 4> role_names = {"measure", "explore", "validate", "fallback"};

constexpr std::string_view name_of(ResponseKind kind) { return response_kind_names[static_cast<std::size_t>(kind)]; }
constexpr std::string_view name_of(Mark mark) { return mark_names[static_cast<std::size_t>(mark)]; }
constexpr std::string_view name_of(Role role) { return role_names[static_cast<std::size_t>(role)]; }

/// The mark of that name, if there is one.
constexpr std::optional<Mark> mark_named(std::string_view name) {
  const auto* found = std::find(mark_names.begin(), mark_names.end(), name);
  if (found == mark_names.end()) return {};
  return static_cast<Mark>(found - mark_names.begin());
}

}  // namespace hartline
