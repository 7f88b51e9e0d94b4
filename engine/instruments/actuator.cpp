#include "instruments/actuator.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"

namespace hartline::instruments {

const std::vector<double>& array_of(const Stimulus& stimulus, const std::string& path) {
  const Array* array = std::get_if<Array>(&stimulus.what);
  if (!array || array->values.empty())
    throw SpecError({path, "given an array of numbers as stimulus", array ? "none" : "another kind", ""});
  for (std::size_t k = 0; k < array->values.size(); ++k)
    if (!std::isfinite(array->values[k]))
      throw SpecError({fmt::format("stimulus[{}]", k), "finite", number_text(array->values[k]), ""});
  return array->values;
}

}  // namespace hartline::instruments
