// Between Python's objects and the engine's: documents, numbers, arrays without copies.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <span>
#include <string>
#include <vector>

#include "base/value.hpp"

namespace hartline::python {

namespace nb = nanobind;

/// A document from dicts, lists, numbers, texts, NumPy arrays and spec objects; keys that are None are left out.
/// Throws: SpecError naming the place of what cannot stand in a document.
Value value_from(nb::handle object, const std::string& path = "");
Table table_from(nb::handle object, const std::string& path = "");

/// dict, list, number, text or None.
nb::object object_from(const Value& value);

/// Numbers that came from Python, kept alive: an array of float64 in C order is taken as it is, anything else is converted.
struct Numbers {
  nb::ndarray<const double, nb::c_contig, nb::device::cpu> array;
  std::span<const double> span() const { return {array.data(), array.size()}; }
  std::vector<double> vector() const { return {array.data(), array.data() + array.size()}; }
};

using View = nb::ndarray<nb::numpy, const double>;
using Fresh = nb::ndarray<nb::numpy, double>;

/// Numbers of the engine, read only and without a copy; `owner` lives as long as the array does.
View view_of(const double* data, const std::vector<std::int64_t>& shape, nb::handle owner);

/// Numbers handed over to Python.
Fresh hand_over(std::vector<double> values, const std::vector<std::int64_t>& shape);
Fresh hand_over(Array array);
nb::object hand_over(const std::vector<std::int64_t>& values);

/// A digest as it is printed.
std::string digest_text(std::uint64_t digest);

}  // namespace hartline::python

namespace nanobind::detail {

template <>
struct type_caster<hartline::python::Numbers> {
  NB_TYPE_CASTER(hartline::python::Numbers, const_name("numpy.typing.ArrayLike"))

  bool from_python(handle source, std::uint8_t, cleanup_list*) noexcept {
    try {
      value.array = cast<ndarray<const double, c_contig, device::cpu>>(
          module_::import_("numpy").attr("ascontiguousarray")(source, "float64"));
      return true;
    } catch (...) {
      PyErr_Clear();
      return false;
    }
  }
};

}  // namespace nanobind::detail
