#include "io/npy.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "io/array_size.hpp"
#include "io/file.hpp"

namespace hartline::io {

static_assert(std::endian::native == std::endian::little, "arrays are copied as little-endian bytes");

namespace {

constexpr std::string_view magic = "\x93NUMPY";

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

[[noreturn]] void refuse(const std::string& name, const std::string& got, const std::string& hint = "") {
  throw IoError({name, "a .npy file", got, hint.empty() ? "Write it again with numpy.save." : hint});
}

/// Reads the header, which is the text of a Python dict with three keys.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> shape;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr)
        descr = element_type();
      else if (key == "fortran_order" && !fortran_order)
        fortran_order = truth();
      else if (key == "shape" && !shape)
        shape = numbers_in_brackets();
      else
        refuse(name_, "a header with the key \"" + key + "\", unknown or given twice");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (!text_.empty()) refuse(name_, "a header with text after its end");
    if (!descr || !fortran_order || !shape) refuse(name_, "a header without descr, fortran_order or shape");
    return {*descr, *fortran_order, *shape};
  }

 private:
  void skip_blanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n' || text_[0] == '\t')) text_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_blanks();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool accept(std::string_view word) {
    skip_blanks();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse(name_, std::string("a header without the expected ") + c);
  }
  std::string quoted() {
    const char mark = accept('\'') ? '\'' : '"';
    if (mark == '"') expect('"');
    const std::size_t end = text_.find(mark);
    if (end == std::string_view::npos) refuse(name_, "a header with an open quotation mark");
    const std::string out(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return out;
  }
  std::string element_type() {
    skip_blanks();
    if (text_.starts_with('['))
      throw SpecError({name_, "an array of plain numbers", "an array of records", "Save one field at a time."});
    return quoted();
  }
  bool truth() {
    if (accept("True")) return true;
    if (!accept("False")) refuse(name_, "a header whose fortran_order is neither True nor False");
    return false;
  }
  std::vector<std::int64_t> numbers_in_brackets() {
    std::vector<std::int64_t> out;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      std::int64_t v = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), v);
      if (error != std::errc() || v < 0) refuse(name_, "a header whose shape is not a tuple of whole numbers");
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      accept('L');  // Python 2 wrote long integers so
      out.push_back(v);
      if (out.size() > 32) refuse(name_, "a shape with more than 32 axes");
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  std::string_view text_;
  const std::string& name_;
};

/// Copies elements of type T to doubles.
/// @return the index of the first value that a double cannot hold, or -1
template <class T>
std::int64_t copy_values(std::string_view bytes, std::vector<double>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T v;
    std::memcpy(&v, bytes.data() + i * sizeof(T), sizeof(T));
    const auto real = static_cast<double>(v);
    if constexpr (sizeof(T) == 8 && !std::is_same_v<T, double>) {
      constexpr double limit = std::is_signed_v<T> ? 0x1p63 : 0x1p64;  // above this the way back is undefined
      if (real >= limit || static_cast<T>(real) != v) return static_cast<std::int64_t>(i);
    }
    out[i] = real;
  }
  return -1;
}

struct ElementType {
  std::string_view descr;
  std::size_t size;
  std::int64_t (*copy)(std::string_view, std::vector<double>&);
};

constexpr ElementType element_types[] = {
    {"<f8", 8, copy_values<double>},        {"<f4", 4, copy_values<float>},         {"|u1", 1, copy_values<std::uint8_t>},
    {"|i1", 1, copy_values<std::int8_t>},   {"<u2", 2, copy_values<std::uint16_t>}, {"<i2", 2, copy_values<std::int16_t>},
    {"<u4", 4, copy_values<std::uint32_t>}, {"<i4", 4, copy_values<std::int32_t>},  {"<u8", 8, copy_values<std::uint64_t>},
    {"<i8", 8, copy_values<std::int64_t>},  {"|b1", 1, copy_values<std::uint8_t>},
};

const ElementType& find_type(const std::string& descr, const std::string& name) {
  for (const ElementType& type : element_types)
    if (type.descr == descr) return type;
  throw SpecError({name, "an array of bool, int8 … int64, uint8 … uint64, float32 or float64, little-endian",
                   "the element type \"" + descr + "\"", "Convert it with numpy.asarray(x, dtype=\"<f8\") before saving."});
}

std::vector<double> from_fortran_order(const std::vector<double>& in, const std::vector<std::int64_t>& shape) {
  std::vector<double> out(in.size());
  std::vector<std::int64_t> at(shape.size(), 0);  // index of the element, first axis fastest in `in`
  std::vector<std::int64_t> stride(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;) stride[axis - 1] = stride[axis] * shape[axis];
  std::int64_t to = 0;
  for (double v : in) {
    out[static_cast<std::size_t>(to)] = v;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      to += stride[axis];
      if (++at[axis] < shape[axis]) break;
      to -= stride[axis] * shape[axis];
      at[axis] = 0;
    }
  }
  return out;
}

}  // namespace

Array parse_npy(std::string_view bytes, const std::string& name) {
  if (!bytes.starts_with(magic)) refuse(name, "a file that does not start as one", "Write it with numpy.save.");
  if (bytes.size() < 10) refuse(name, "a file cut short in its header");
  const int major = static_cast<unsigned char>(bytes[6]), minor = static_cast<unsigned char>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0)
    refuse(name, "version " + std::to_string(major) + "." + std::to_string(minor), "Versions 1.0, 2.0 and 3.0 are read.");
  const std::size_t width = major == 1 ? 2 : 4;
  if (bytes.size() < 8 + width) refuse(name, "a file cut short in its header");
  std::uint32_t header_size = 0;
  std::memcpy(&header_size, bytes.data() + 8, width);
  if (bytes.size() - 8 - width < header_size) refuse(name, "a file cut short in its header");
  const Header header = HeaderParser(bytes.substr(8 + width, header_size), name).parse();
  bytes.remove_prefix(8 + width + header_size);

  const ElementType& type = find_type(header.descr, name);
  const std::optional<std::size_t> count = size_of_shape(header.shape);
  if (!count || *count > bytes.size() / type.size || *count * type.size != bytes.size())
    refuse(name, std::to_string(bytes.size()) + " bytes of values where the shape " + shape_text(header.shape) + " asks for " +
                     (count && *count < (std::size_t{1} << 60) ? std::to_string(*count * type.size) : "more than any file holds"));
  Array out{header.shape, std::vector<double>(*count)};
  if (const std::int64_t at = type.copy(bytes, out.values); at >= 0)
    throw SpecError({name, "an array whose values a double can hold", "a 64-bit integer beyond 2^53 at index " + std::to_string(at),
                     "Convert it with numpy.asarray(x, dtype=\"<f8\") before saving, if rounding is what you want."});
  if (header.descr == "|b1")
    for (double v : out.values)
      if (v > 1) refuse(name, "a bool that is neither 0 nor 1");
  if (header.fortran_order && header.shape.size() > 1 && *count > 0) out.values = from_fortran_order(out.values, header.shape);
  return out;
}

Array read_npy(const std::string& path) { return parse_npy(read_text(path), path); }

void write_npy(const std::string& path, const Array& array) {
  if (size_of_shape(array.shape) != array.values.size())
    throw SpecError({path, "an array whose values fill its shape " + shape_text(array.shape),
                     std::to_string(array.values.size()) + " values", ""});
  std::string shape = "(";
  for (std::int64_t n : array.shape) shape += std::to_string(n) + ", ";
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);  // numpy writes (3,) and (3, 4)
  if (array.shape.size() == 1) shape.pop_back();
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + "), }";
  const std::size_t unpadded = magic.size() + 4 + header.size() + 1;
  header.append((64 - unpadded % 64) % 64, ' ');  // values start at a multiple of 64 bytes
  header += '\n';
  std::string bytes(magic);
  bytes += {'\x01', '\x00'};
  bytes += {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(array.values.data()), array.values.size() * sizeof(double));
  write_text(path, bytes);
}

}  // namespace hartline::io
