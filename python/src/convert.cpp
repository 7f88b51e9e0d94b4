#include "convert.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace hartline::python {

namespace {

std::string text_of(nb::handle object) { return nb::cast<std::string>(nb::str(object)); }

std::string class_name(nb::handle object) {
  return text_of(nb::handle(reinterpret_cast<PyObject*>(Py_TYPE(object.ptr()))).attr("__name__"));
}

std::string at(const std::string& path, const std::string& key) { return path.empty() ? key : path + "." + key; }

}  // namespace

Value value_from(nb::handle object, const std::string& path) {
  PyObject* o = object.ptr();
  if (o == Py_None) return {};
  if (PyBool_Check(o)) return o == Py_True;
  if (PyUnicode_Check(o)) return nb::cast<std::string>(object);
  if (PyFloat_Check(o)) return PyFloat_AS_DOUBLE(o);
  if (PyLong_Check(o)) {
    const long long whole = PyLong_AsLongLong(o);
    if (whole == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      throw SpecError({path, "a whole number of 64 bits", text_of(object), ""});
    }
    return static_cast<std::int64_t>(whole);
  }
  if (nb::hasattr(object, "to_dict") && !nb::hasattr(object, "tolist")) return value_from(object.attr("to_dict")(), path);
  if (nb::hasattr(object, "tolist")) return value_from(object.attr("tolist")(), path);  // arrays and numbers of NumPy
  if (nb::hasattr(object, "items")) {
    Table table;
    for (nb::handle item : object.attr("items")()) {
      const std::string key = text_of(item[0]);
      Value value = value_from(item[1], at(path, key));
      if (!value.is_null()) table.set(key, std::move(value));
    }
    return table;
  }
  if (nb::hasattr(object, "__fspath__")) return text_of(object);
  if (PySequence_Check(o)) {
    List list;
    for (nb::handle item : object) list.push_back(value_from(item, fmt::format("{}[{}]", path, list.size())));
    return list;
  }
  throw SpecError({path, "a table, a list, a number, a text or true or false", class_name(object), ""});
}

Table table_from(nb::handle object, const std::string& path) {
  Value value = value_from(object, path);
  if (!value.table()) throw SpecError({path, "a table", std::string(kind_name(value)) + " " + display(value), ""});
  return std::move(*value.table());
}

nb::object object_from(const Value& value) {
  if (value.is_null()) return nb::none();
  if (const bool* v = std::get_if<bool>(&value.is)) return nb::bool_(*v);
  if (const auto* v = std::get_if<std::int64_t>(&value.is)) return nb::int_(*v);
  if (const double* v = std::get_if<double>(&value.is)) return nb::float_(*v);
  if (const std::string* v = value.text()) return nb::str(v->data(), v->size());
  if (const List* list = value.list()) {
    nb::list out;
    for (const Value& item : *list) out.append(object_from(item));
    return out;
  }
  nb::dict out;
  for (const auto& [key, item] : value.table()->items) out[nb::str(key.data(), key.size())] = object_from(item);
  return out;
}

View view_of(const double* data, const std::vector<std::int64_t>& shape, nb::handle owner) {
  const std::vector<std::size_t> sizes(shape.begin(), shape.end());
  return View(data, sizes.size(), sizes.data(), owner);
}

Fresh hand_over(std::vector<double> values, const std::vector<std::int64_t>& shape) {
  auto* kept = new std::vector<double>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<double>*>(p); });
  const std::vector<std::size_t> sizes(shape.begin(), shape.end());
  return Fresh(kept->data(), sizes.size(), sizes.data(), owner);
}

Fresh hand_over(Array array) { return hand_over(std::move(array.values), array.shape); }

nb::object hand_over(const std::vector<std::int64_t>& values) {
  auto* kept = new std::vector<std::int64_t>(values);
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<std::int64_t>*>(p); });
  const std::size_t sizes[] = {kept->size()};
  return nb::cast(nb::ndarray<nb::numpy, std::int64_t>(kept->data(), 1, sizes, owner));
}

std::string digest_text(std::uint64_t digest) { return fmt::format("{:016x}", digest); }

}  // namespace hartline::python
