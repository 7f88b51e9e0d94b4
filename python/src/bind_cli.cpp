// hartline.cli: the program.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <csignal>

#include "cli/outcome.hpp"
#include "cli/program.hpp"
#include "handles.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

void bind_cli(nb::module_& m) {
  m.doc() = "The program `hartline`.";
  m.def(
      "run_program",
      [](const std::vector<std::string>& arguments) {
        std::vector<const char*> argv;
        for (const std::string& argument : arguments) argv.push_back(argument.c_str());
        struct sigaction of_python[2];  // the program listens for these itself while it runs
        sigaction(SIGINT, nullptr, &of_python[0]);
        sigaction(SIGTERM, nullptr, &of_python[1]);
        const int code = compute([&] { return cli::run_program(static_cast<int>(argv.size()), argv.data()); });
        sigaction(SIGINT, &of_python[0], nullptr);
        sigaction(SIGTERM, &of_python[1], nullptr);
        return code;
      },
      "arguments"_a, R"(Runs the program with a command line, the program's name first; returns the exit code.

>>> import hartline as hl
>>> hl.cli.run_program(["hartline", "check", "no such file"])
4
)");
  m.def("version", &cli::version, R"(Version of the engine.

>>> import hartline as hl
>>> hl.cli.version() == hl.__version__
True
)");
}

}  // namespace hartline::python
