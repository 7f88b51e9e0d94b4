// Errors: four types, one form of message, facts as members.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hartline {

/// The facts of a message of the form
///
///   <path>: must be <requirement> (got <got>). <hint>
///
/// Parts that are empty are left out.
struct Fault {
  std::string path;         // the object, for example design.search
  std::string requirement;  // for example "> 0 ms"
  std::string got;          // the value met, with its unit
  std::string hint;         // cause or next step
};

/// Writes a fault in the form above.
std::string format(const Fault& fault);

/// Base of the four error types; `fault` holds the facts of the message.
class Error : public std::runtime_error {
 public:
  explicit Error(Fault facts);
  explicit Error(const std::string& message);
  Fault fault;
};

/// The user's description is wrong.
class SpecError : public Error {
 public:
  using Error::Error;
};

/// A quantity has the wrong unit.
class UnitError : public SpecError {
 public:
  using SpecError::SpecError;
};

/// Numerics or a device failed while running.
class RunError : public Error {
 public:
  using Error::Error;
  RunError(Fault facts, std::int64_t at_trial) : Error(std::move(facts)), trial(at_trial) {}
  std::int64_t trial = -1;  // the trial at which it happened; the record holds every trial before it
};

/// A file, a disk or a peer failed.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A fault of Hartline itself.
class InternalError : public Error {
 public:
  using Error::Error;
};

/// The member of `choices` nearest to `got` by edit distance, or "" where none is near.
std::string nearest_name(std::string_view got, std::span<const std::string_view> choices);

/// "Did you mean "x"?" for the nearest choice, or "".
std::string did_you_mean(std::string_view got, std::span<const std::string_view> choices);

/// Shortest text that reads back to the same double.
std::string number_text(double value);

}  // namespace hartline
