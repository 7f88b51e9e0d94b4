// Systems of equations for tests of integrators: stepped as a network steps them, with noise that the test gives.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "equations/integrate.hpp"
#include "equations/kernel.hpp"
#include "equations/lower.hpp"

namespace hartline::equations {

/// Variables and their slopes, as texts; `p` is a parameter that all share, `q` one of each lane.
class System {
 public:
  struct Equation {
    std::string variable, slope;
  };
  explicit System(const std::vector<Equation>& equations) {
    Scope scope(graph_);
    dynamics_.time = scope.declare({"t", {}, {}, ""}, "");
    dynamics_.dt = scope.declare({"dt", {}, {}, ""}, "");
    p_ = scope.declare({"p", {}, {}, ""}, "");
    q_ = scope.declare({"q", {}, {}, ""}, "");
    dynamics_.noise.push_back(scope.declare({"xi", {}, {}, ""}, ""));
    for (const auto& [name, text] : equations) dynamics_.equations.push_back({scope.declare({name, {}, {}, ""}, ""), no_id});
    for (std::size_t k = 0; k < equations.size(); ++k)
      dynamics_.equations[k].slope = scope.lower(parse_expression(equations[k].variable, equations[k].slope, "test"), "test");
    dynamics_.is_shared = [this](std::uint32_t symbol) { return symbol == p_; };
  }

  Advice advice() { return advise(graph_, dynamics_); }

  /// The values at `end`, after steps of `dt`; `noise` is called for ξ √dt of every step.
  template <class Noise>
  std::vector<double> run(Method method, std::vector<double> x, double dt, int num_steps, double p, double q, Noise&& noise) {
    Graph graph = graph_;
    const Integrated integrated = integrate(graph, dynamics_, method);
    const auto kernel = make_interpreter(graph, integrated.next, std::vector<bool>(graph.num_symbols(), false));
    std::vector<double> coefficients(2 * x.size() * x.size());
    double time = 0, xi = 0;
    std::vector<Input> inputs(graph.num_symbols());
    inputs[dynamics_.time].data = &time;
    inputs[dynamics_.dt].data = &dt;
    inputs[p_].data = &p;
    inputs[q_].data = &q;
    inputs[dynamics_.noise[0]].data = &xi;
    for (std::size_t k = 0; k < x.size(); ++k) inputs[dynamics_.equations[k].variable].data = &x[k];
    if (!integrated.propagator.empty()) {
      const auto rates = make_interpreter(graph, integrated.propagator[0].rates, std::vector<bool>(graph.num_symbols(), false));
      std::vector<double> a(x.size() * x.size());
      std::vector<double*> outputs;
      for (double& rate : a) outputs.push_back(&rate);
      rates->run(inputs, 1, outputs);
      propagate(a, dt, coefficients);
      inputs[integrated.propagator[0].symbol].data = coefficients.data();
    }
    std::vector<double> next(x.size());
    std::vector<double*> outputs;
    for (double& value : next) outputs.push_back(&value);
    for (int k = 0; k < num_steps; ++k) {
      time = k * dt;
      xi = noise(k) / std::sqrt(dt);
      kernel->run(inputs, 1, outputs);
      x = next;
      for (std::size_t i = 0; i < x.size(); ++i) inputs[dynamics_.equations[i].variable].data = &x[i];
    }
    return x;
  }
  std::vector<double> run(Method method, std::vector<double> x, double dt, int num_steps, double p = 1, double q = 1) {
    return run(method, std::move(x), dt, num_steps, p, q, [](int) { return 0.0; });
  }

 private:
  Graph graph_;
  Dynamics dynamics_;
  std::uint32_t p_ = 0, q_ = 0;
};

}  // namespace hartline::equations
