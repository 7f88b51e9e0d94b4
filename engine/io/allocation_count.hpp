// How often this thread has allocated; for test programs that link allocation_count.cpp, which replaces operator new.
#pragma once

#include <cstdint>

namespace hartline::io {

std::int64_t num_allocations();

}  // namespace hartline::io
