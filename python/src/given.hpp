// Subjects and response models that are written in Python.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "loop/experiment.hpp"
#include "loop/subject.hpp"
#include "models/family.hpp"

namespace hartline::python {

namespace nb = nanobind;

/// A family whose formula is the method `evaluate` of a Python object, called for many nodes at once.
std::unique_ptr<models::Family> make_family(nb::object family);

/// A subject whose responses are those of a Python object: its method `respond`, or the object called, with stimulus and trial.
std::unique_ptr<loop::Subject> make_subject(std::shared_ptr<nb::object> subject, const loop::Experiment& experiment);

}  // namespace hartline::python
