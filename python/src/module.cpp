// The extension module: one submodule a folder of the engine.
#include "handles.hpp"

NB_MODULE(_engine, m) {
  using namespace hartline::python;
  m.doc() = "The engine. Use the package hartline, which names it.";
  const auto submodule = [&](const char* name, void (*bind)(nb::module_&)) {
    nb::module_ sub = m.def_submodule(name);
    bind(sub);
  };
  submodule("base", bind_base);
  submodule("models", bind_models);
  submodule("design", bind_design);
  submodule("io", bind_io);
  submodule("loop", bind_loop);
  submodule("dynamics", bind_dynamics);
  submodule("cli", bind_cli);
}
