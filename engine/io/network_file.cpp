#include "io/network_file.hpp"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/toml.hpp"

namespace hartline::io {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view magic = "hartline network ";
constexpr int format = 1;

/// Takes one word off the front of a line.
std::string_view next_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

}  // namespace

std::string network_bytes(const NetworkFile& file) {
  std::string body = to_toml(file.header);
  const std::size_t num_header = body.size();
  body.resize(num_header + file.numbers.size() * sizeof(double));
  if (!file.numbers.empty()) std::memcpy(&body[num_header], file.numbers.data(), file.numbers.size() * sizeof(double));
  return fmt::format("{}{} {} {} {:016x}\n", magic, format, num_header, file.numbers.size(), hash_bytes(body)) + body;
}

NetworkFile parse_network(std::string_view bytes, const std::string& path) {
  const auto refuse = [&](const std::string& wanted, const std::string& got, const char* hint) {
    throw IoError({path, wanted, got, hint});
  };
  const std::size_t end = bytes.substr(0, 120).find('\n');
  if (!bytes.starts_with(magic) || end == std::string_view::npos)
    refuse("a file that hartline train wrote", bytes.empty() ? "an empty one" : "another", "");
  std::string_view line = bytes.substr(magic.size(), end - magic.size());
  const std::string_view version = next_word(line);
  if (version != std::to_string(format))
    refuse(fmt::format("of format {}", format), fmt::format("format {}", version), "This version of hartline reads no other.");
  std::uint64_t sizes[2] = {};
  for (std::uint64_t& size : sizes) {
    const std::string_view word = next_word(line);
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), size);
    if (error != std::errc() || rest != word.data() + word.size()) refuse("an intact file", "a first line that cannot be read", "");
  }
  const std::string_view body = bytes.substr(end + 1);
  const std::uint64_t num_header = sizes[0], num = sizes[1];
  if (num_header > body.size() || num > (body.size() - num_header) / sizeof(double) ||
      body.size() != num_header + num * sizeof(double))
    refuse("an intact file", fmt::format("{} bytes behind the first line", body.size()), "It was cut short, or is not whole yet.");
  if (line != fmt::format("{:016x}", hash_bytes(body))) refuse("an intact file", "one whose bytes have changed", "");
  NetworkFile out;
  try {
    out.header = parse_toml(body.substr(0, num_header), path);
  } catch (const SpecError& error) {
    refuse("an intact file", "a header that cannot be read", error.what());
  }
  out.numbers.resize(num);
  if (num > 0) std::memcpy(out.numbers.data(), body.data() + num_header, num * sizeof(double));
  return out;
}

std::string network_hash(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  return std::string(bytes.substr(end < 16 ? 0 : end - 16, 16));
}

}  // namespace hartline::io
