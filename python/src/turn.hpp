// Computing without Python's lock, one computation at a time on each thing that changes.
#pragma once

#include <nanobind/nanobind.h>

#include <mutex>
#include <utility>

namespace hartline::python {

namespace nb = nanobind;

/// Runs `body` without Python's lock, so that other Python threads go on.
template <class Body>
auto compute(Body&& body) {
  const nb::gil_scoped_release released;
  return std::forward<Body>(body)();
}

/// The same, after those that already compute on `mutex`'s thing. A Python function that is called meanwhile may look at it.
template <class Body>
auto compute(std::recursive_mutex& mutex, Body&& body) {
  const nb::gil_scoped_release released;
  const std::lock_guard lock(mutex);
  return std::forward<Body>(body)();
}

/// The same for two things, say a plan and a belief.
template <class Body>
auto compute(std::recursive_mutex& first, std::recursive_mutex& second, Body&& body) {
  const nb::gil_scoped_release released;
  const std::scoped_lock lock(first, second);
  return std::forward<Body>(body)();
}

}  // namespace hartline::python
