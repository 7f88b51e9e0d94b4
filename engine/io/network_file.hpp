// A file of numbers under a header of text: how trained networks are kept.
//
//   hartline network 1 <bytes of the header> <how many numbers> <hash>\n
//   the header, TOML
//   the numbers, each as the eight bytes of a double, least byte first
//
// The hash, 16 hexadecimal digits, is FNV-1a of everything behind the first line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/value.hpp"

namespace hartline::io {

struct NetworkFile {
  Table header;
  std::vector<double> numbers;
};

std::string network_bytes(const NetworkFile& file);

/// `path` names the bytes in messages. Throws: IoError for what is none, is cut short or was changed.
/// (network_file_test.cpp: NetworkFile.RefusesWhatIsCutOrChanged)
NetworkFile parse_network(std::string_view bytes, const std::string& path);

/// The hash in the first line, of bytes that parse.
std::string network_hash(std::string_view bytes);

}  // namespace hartline::io
