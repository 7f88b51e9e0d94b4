#include "base/trial.hpp"

#include "base/hash.hpp"

namespace hartline {

std::uint64_t content_hash(const double* values, std::size_t count) {
  return hash_bytes({reinterpret_cast<const char*>(values), count * sizeof(double)});
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
