#include "loop/checkpoint.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/file.hpp"

namespace hartline::loop {

namespace {

std::string head_of(std::string_view bytes) {
  return fmt::format("hartline state 1 {} {:016x}\n", bytes.size(), hash_bytes(bytes));
}

}  // namespace

void write_state(const std::string& path, const dynamics::State& state) {
  const std::string_view bytes{reinterpret_cast<const char*>(state.bytes().data()), state.bytes().size()};
  std::string text = head_of(bytes);
  text += bytes;
  io::write_text(path, text);
}

dynamics::State read_state(const std::string& path, const dynamics::Program& program) {
  const std::string text = io::read_text(path);
  const std::size_t end = text.find('\n');
  const std::string_view bytes = end == std::string::npos ? std::string_view{} : std::string_view(text).substr(end + 1);
  if (end == std::string::npos || text.compare(0, end + 1, head_of(bytes)) != 0)
    throw IoError({path, "a state as it was written", "a file that was cut or changed", ""});
  try {
    return program.restore(std::as_bytes(std::span(bytes)));
  } catch (const SpecError& error) {
    throw SpecError({path, error.fault.requirement, error.fault.got, error.fault.hint});
  }
}

}  // namespace hartline::loop
