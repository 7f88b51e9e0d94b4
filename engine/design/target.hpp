// What utility target is about: parameters, or functions of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/describe.hpp"

namespace hartline::equations {
class Kernel;
}

namespace hartline::design {

/// A parameter by its number from 0 or by its name, or a function of parameters: 2, "mu", "log(A / b)".
struct Target {
  Target() = default;
  Target(int number) : value(number) {}
  Target(const char* text) : value(text) {}
  bool operator==(const Target&) const = default;

  Value value;
};

/// A list of them, or one alone. Throws: SpecError.
void read(const Value& value, const Place& place, std::string_view key, std::string_view unit, const Constraint& c,
          std::vector<Target>& out);
inline Value to_value(const Target& target) { return target.value; }

/// Number of the parameter that target k is. Throws: SpecError where it is none of `num` parameters.
std::size_t parameter_of(std::span<const Target> targets, std::size_t k, std::size_t num, std::span<const std::string> names);

/// The same with functions that are of the parameters' numbers alone: a function is read with the units [num_parameters] of what is
/// in it, and every number is given its unit's size. Throws: SpecError, UnitError.
/// (sample_search_test.cpp: SampleSearch.FunctionsOfParametersHaveTheirUnits)
std::vector<Target> without_units(std::span<const Target> targets, std::span<const std::string> names,
                                  std::span<const std::string> units);

/// Values of the targets. Constant, shared by threads.
class TargetFunctions {
 public:
  /// `names`: of all parameters, w[0, 1] an element of w. Functions are of the parameters' numbers, in the units that their text
  /// states. Throws: SpecError, UnitError.
  TargetFunctions(std::span<const Target> targets, std::span<const std::string> names);

  std::size_t num() const { return num_; }
  /// Throws: RunError for a value that is not finite.
  static void check(double value);
  /// parameters [num_parameters, stride], of which the first num_sets of every row count: out [num(), num_sets].
  void operator()(const double* parameters, std::size_t stride, std::size_t num_sets, double* out) const;

 private:
  std::size_t num_ = 0;
  std::vector<std::size_t> first_;  // parameter of each symbol's first element
  std::shared_ptr<const equations::Kernel> kernel_;
};

}  // namespace hartline::design
