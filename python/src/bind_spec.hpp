// A field table (base/describe.hpp) as a Python class: keywords, properties, docstring, repr, all from that one table.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "base/describe.hpp"
#include "convert.hpp"

namespace hartline::python {

/// Name of a field table's Python class, with its module. Set by bind_spec.
template <class T>
inline std::string spec_name;

namespace described {

template <class T>
struct Unwrapped {
  using Type = void;
};
template <class T>
struct Unwrapped<std::vector<T>> {
  using Type = T;
  static constexpr bool list = true;
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using Type = T;
  static constexpr bool list = false;
};

/// How a type is written in a signature; `given`: what may be assigned to it.
template <class T>
std::string type_text(bool given) {
  using Inner = typename Unwrapped<T>::Type;
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return "int";
  } else if constexpr (std::is_same_v<T, double>) {
    return "float";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "str";
  } else if constexpr (std::is_same_v<T, Table>) {
    return "collections.abc.Mapping[str, typing.Any]";
  } else if constexpr (requires { requires std::is_same_v<decltype(T::value), Value>; }) {
    return "int | str";  // a number or a name
  } else if constexpr (Described<T>) {
    return given ? spec_name<T> + " | collections.abc.Mapping[str, typing.Any]" : spec_name<T>;
  } else if constexpr (Unwrapped<T>::list) {
    return (given ? "collections.abc.Sequence[" : "tuple[") + type_text<Inner>(given) + (given ? "]" : ", ...]");
  } else {
    return type_text<Inner>(given) + " | None";
  }
}

/// A field's value: tables and lists cannot be changed in place, so that no change is lost; nested specs can.
template <class T>
nb::object get(T& member, nb::handle owner) {
  if constexpr (Described<T>) {
    return nb::cast(&member, nb::rv_policy::reference_internal, owner);
  } else if constexpr (std::is_same_v<T, Table>) {
    return nb::module_::import_("types").attr("MappingProxyType")(object_from(Value(member)));
  } else if constexpr (std::is_void_v<typename Unwrapped<T>::Type>) {
    return object_from(to_value(member));
  } else if constexpr (Unwrapped<T>::list) {
    nb::list out;
    for (auto&& item : member) {
      if constexpr (Described<typename Unwrapped<T>::Type>)
        out.append(nb::cast(item, nb::rv_policy::copy));
      else
        out.append(object_from(to_value(item)));
    }
    return nb::tuple(out);
  } else {
    return member ? get(*member, owner) : nb::none();
  }
}

/// A field's name in Python: `from` is a word of the language.
inline std::string name_text(std::string_view field) { return field == "from" ? "from_" : std::string(field); }

inline std::string default_text(const Value& value) {
  if (value.is_null()) return "None";
  if (value.text()) return nb::cast<std::string>(nb::repr(object_from(value)));
  if (value.table()) return "...";
  if (value.list()) return value.list()->empty() ? "()" : "...";
  return nb::cast<std::string>(nb::repr(object_from(value)));
}

/// The fields that differ from their defaults or must be given, as keywords.
template <Described T>
std::string repr(const T& spec) {
  const T plain{};
  std::string out;
  T::describe([&](std::string_view name, auto member, std::string_view, const Constraint& c, std::string_view) {
    const Value value = to_value(spec.*member);
    if (value == to_value(plain.*member) && (!c.required || name == "format")) return;
    if (!out.empty()) out += ", ";
    out += name_text(name) + "=";
    if constexpr (Described<std::remove_cvref_t<decltype(spec.*member)>>)
      out += repr(spec.*member);
    else
      out += nb::cast<std::string>(nb::repr(object_from(value)));
  });
  const std::string& name = spec_name<T>;
  return name.substr(name.rfind('.') + 1) + "(" + out + ")";
}

}  // namespace described

/// `sentence`: what the table describes; `example`: keywords of an example, in the order of the fields.
template <Described T>
void bind_spec(nb::module_& module, const char* name, const std::string& sentence, const std::string& example) {
  spec_name<T> = nb::cast<std::string>(module.attr("__name__")) + "." + name;
  std::string doc = sentence + "\n\n", signature = "def __init__(self, *";
  const T plain{};
  T::describe([&](std::string_view field, auto member, std::string_view unit, const Constraint& c, std::string_view meaning) {
    using Member = std::remove_cvref_t<decltype(plain.*member)>;
    const std::string required = requirement_text(c, unit);
    const std::string fallback = described::default_text(to_value(plain.*member));
    signature += ", " + described::name_text(field) + ": " + described::type_text<Member>(true) +
                 (c.required && field != "format" ? "" : " = " + fallback);
    doc += "- ``" + described::name_text(field) + "``: " + std::string(meaning);
    doc += required == "any" ? "" : " (" + required + ")";
    doc += c.required || fallback == "..." || fallback == "()" || fallback == "None" ? "\n" : "; default ``" + fallback + "``\n";
  });
  signature += ") -> None";
  const std::string example_text = std::string(name) + "(" + example + ")";
  const std::string& full_name = spec_name<T>;
  const std::size_t end = full_name.size() - std::string_view(name).size() - 1, begin = full_name.rfind('.', end - 1);
  doc +=
      "\n>>> from hartline" + full_name.substr(begin, end - begin) + " import *\n>>> " + example_text + "\n" + example_text + "\n";

  nb::class_<T> bound(module, name, doc.c_str());
  bound.def(
      "__init__",
      [](T* self, const nb::kwargs& fields) {
        Table table = table_from(fields);
        for (auto& [key, value] : table.items)
          if (key == "from_") key = "from";
        if constexpr (requires(T t) { t.format; })
          if (!table.find("format")) table.set("format", 1);
        T spec{};
        read_table(table, {"", ""}, spec);
        new (self) T(std::move(spec));
      },
      nb::sig(signature.c_str()), "Fields that are not given keep their defaults.");
  T::describe([&](std::string_view field, auto member, std::string_view unit, const Constraint& c, std::string_view meaning) {
    using Member = std::remove_cvref_t<decltype(plain.*member)>;
    const std::string key(field), name_of(described::name_text(field)), measure(unit);
    const std::string get_text = "def " + name_of + "(self) -> " + described::type_text<Member>(false);
    const std::string set_text = "def " + name_of + "(self, value: " + described::type_text<Member>(true) + ") -> None";
    const std::string required = requirement_text(c, unit);
    const std::string text = std::string(meaning) + (required == "any" ? "." : " (" + required + ").");
    bound.def_prop_rw(
        name_of.c_str(), [member](nb::handle self) { return described::get(nb::cast<T&>(self).*member, self); },
        [member, key, measure, c](T& self, nb::handle object) {
          const Value value = value_from(object, key);
          Member fresh{};
          const bool absent = requires { fresh.has_value(); }
          &&value.is_null();
          if (!absent) read(value, Place{}, key, measure, c, fresh);
          self.*member = std::move(fresh);
        },
        nb::for_getter(nb::sig(get_text.c_str())), nb::for_setter(nb::sig(set_text.c_str())), text.c_str());
  });
  bound.def("__repr__", &described::repr<T>)
      .def(
          "to_dict", [](const T& self) { return nb::cast<nb::dict>(object_from(to_value(self))); },
          nb::sig("def to_dict(self) -> dict[str, typing.Any]"), "The table as a dict, with every default written out.")
      .def(
          "__eq__",
          [](const T& self, nb::handle other) {
            return nb::isinstance<T>(other) && to_value(self) == to_value(nb::cast<const T&>(other));
          },
          nb::arg("other").none(), nb::sig("def __eq__(self, other: object) -> bool"));
}

}  // namespace hartline::python
