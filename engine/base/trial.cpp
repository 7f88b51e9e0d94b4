#include "base/trial.hpp"

#include <cstring>

namespace hartline {

std::uint64_t content_hash(const double* values, std::size_t count) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &values[i], sizeof bits);
    for (int byte = 0; byte < 8; ++byte) {
      hash ^= (bits >> (8 * byte)) & 0xff;
      hash *= 0x100000001b3u;
    }
  }
  return hash;
}

void copy_decision(const Trial& from, Trial& to) {
  to.index = from.index;
  to.attempt = from.attempt;
  to.token = from.token;
  to.arm = from.arm;
  to.role = from.role;
  to.num_learned = from.num_learned;
  to.requested = from.requested;
  to.utility = from.utility;
  to.units = from.units;
  to.lateness_ms = from.lateness_ms;
}

}  // namespace hartline
