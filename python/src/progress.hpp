// Between trials: Ctrl-C is heard, and a Python function is told how far things are.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <memory>

#include "handles.hpp"

namespace hartline::python {

/// Called between trials without Python's lock. Some fifty times a second it takes the lock, hears of Ctrl-C and tells the
/// function. Throws: nb::python_error, KeyboardInterrupt among them; everything before it is in the record.
class Progress {
 public:
  Progress(nb::object function, std::int64_t all) : function_(keep(std::move(function))), all_(all) {}

  void operator()(std::int64_t done) { (*this)(done, all_); }

  void operator()(std::int64_t done, std::int64_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (done < all && now - heard_ < std::chrono::milliseconds(20)) return;
    heard_ = now;
    const nb::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (!function_->is_none()) (*function_)(done, all);
  }

 private:
  std::shared_ptr<nb::object> function_;
  std::int64_t all_;
  std::chrono::steady_clock::time_point heard_ = std::chrono::steady_clock::now();
};

}  // namespace hartline::python
