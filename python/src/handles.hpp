// What Python holds: engine objects together with everything that must live as long as they do.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "design/design.hpp"
#include "io/record_reader.hpp"
#include "loop/experiment.hpp"
#include "loop/learner.hpp"
#include "models/model.hpp"

namespace hartline::python {

namespace nb = nanobind;

/// As many threads as asked for (0: one a core), shared by all that ask for the same number.
std::shared_ptr<Executor> executor_of(int threads);

/// A Python object that may be let go of on any thread.
std::shared_ptr<nb::object> keep(nb::object object);

/// An experiment and where its description came from.
struct Laboratory {
  std::shared_ptr<Executor> executor;
  Table document;  // as given, overrides laid over it
  std::string file, folder;
  std::unique_ptr<loop::Experiment> experiment;
};
using Lab = std::shared_ptr<const Laboratory>;

/// A model, alone or of an experiment.
struct ModelHandle {
  Lab lab;  // of a model that stands alone a bare one: no subject
  const models::Model* get() const { return lab->experiment->model.get(); }
};

/// A belief of its own.
struct BeliefHandle {
  Lab lab;
  const models::Model* model() const { return lab->experiment->model.get(); }
  std::shared_ptr<models::Belief> belief;
  std::shared_ptr<std::recursive_mutex> mutex = std::make_shared<std::recursive_mutex>();
};

/// A design, alone or of an experiment.
struct DesignHandle {
  std::shared_ptr<const design::Design> design;
  Lab lab;  // of the model
  design::DesignSpec spec;
};

struct PlanHandle {
  std::shared_ptr<const design::Design> design;
  std::shared_ptr<design::Plan> plan;
  std::shared_ptr<std::recursive_mutex> mutex = std::make_shared<std::recursive_mutex>();
};

struct ExperimentHandle {
  Lab lab;
};

/// A trial with its stimulus as numbers.
struct TrialHandle {
  Trial trial;
  std::vector<double> stimulus;     // requested
  std::vector<std::int64_t> shape;  // of it
};

TrialHandle handle_of(const loop::Experiment& experiment, const Trial& trial);

/// None: missing; a Response; or numbers [num_cells, num_bins], each observed.
Response response_from(nb::handle object, const models::Model& model);

BeliefHandle prior_of(Lab lab);
/// A copy of a belief of that experiment's model.
BeliefHandle copy_of(const Lab& lab, const models::Belief& belief);
DesignHandle design_of(const Lab& lab, std::size_t arm);

/// A record on the disk.
struct RecordHandle {
  std::string path;
  std::shared_ptr<io::RecordReader> reader;
  std::shared_ptr<std::recursive_mutex> mutex =
      std::make_shared<std::recursive_mutex>();  // a reader has one state of the record open at a time
};
RecordHandle open_record(const std::string& path);

/// What a subject or a family written in Python is to an experiment; either may be None.
loop::Given given_by(nb::object subject, nb::object family);

void bind_base(nb::module_& module);
void bind_models(nb::module_& module);
void bind_design(nb::module_& module);
void bind_io(nb::module_& module);
void bind_loop(nb::module_& module);
void bind_run(nb::module_& module, nb::class_<ExperimentHandle>& experiment);  // part of bind_loop
void bind_training(nb::module_& module);  // part of bind_loop
void bind_dynamics(nb::module_& module);
void bind_cli(nb::module_& module);

}  // namespace hartline::python
