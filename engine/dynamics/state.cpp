#include "dynamics/state.hpp"

#include <new>

#include "numerics/lanes.hpp"

namespace hartline::dynamics {

namespace {

HARTLINE_CLONES void widen(const float* x, std::size_t num, double* out) {
  for (std::size_t k = 0; k < num; ++k) out[k] = static_cast<double>(x[k]);
}
HARTLINE_CLONES void narrow(const double* x, std::size_t num, float* out) {
  for (std::size_t k = 0; k < num; ++k) out[k] = static_cast<float>(x[k]);
}

}  // namespace

void Row::read(std::size_t num, double* out) const {
  if (is_narrow_)
    widen(static_cast<const float*>(first_), num, out);
  else
    std::copy_n(static_cast<const double*>(first_), num, out);
}

void Row::write(std::size_t num, const double* values) const {
  if (is_narrow_)
    narrow(values, num, static_cast<float*>(first_));
  else
    std::copy_n(values, num, static_cast<double*>(first_));
}

State::Memory State::allocate(std::size_t bytes) {
  if (bytes == 0) return {};
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  if (!memory) throw std::bad_alloc();
  return Memory(memory);
}

}  // namespace hartline::dynamics
