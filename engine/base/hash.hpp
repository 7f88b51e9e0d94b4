// Hash of bytes: 64 bits of FNV-1a, for names of contents; not against anybody who wants two contents to have one.
#pragma once

#include <cstdint>
#include <string_view>

namespace hartline {

/// Goes on from `hash`, so that parts can be hashed one after the other.
constexpr std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325u) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace hartline
