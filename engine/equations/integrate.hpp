// Integration: differential equations become expressions for what their variables are one time step later. Units must have been
// erased.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "equations/graph.hpp"

namespace hartline::equations {

/// dx/dt = slope, of a symbol x.
struct Differential {
  std::uint32_t variable = 0;
  Id slope = no_id;
};

/// Differential equations that belong together, and the symbols that stand for time. The ξ of white noise is given as
/// N(0, 1) / √dt, drawn anew every step.
struct Dynamics {
  std::vector<Differential> equations;
  std::uint32_t time = 0, dt = 0;
  std::vector<std::uint32_t> noise;
  std::function<bool(std::uint32_t)> is_shared;  // a symbol is one number for all lanes that stays as it is in a step
};

enum class Method : std::uint8_t { exact, exponential_euler, euler, heun, rk2, rk4, milstein, rodas4 };

/// A method and its name in texts.
struct MethodName {
  std::string_view name;
  Method method;
  std::string_view meaning;
};
const std::vector<MethodName>& methods();
std::string_view name_of(Method method);

/// The coefficients of exact integration, a symbol of the graph: of variable i the numbers (e^{A dt})_ij, then (∫₀^dt e^{A s}
/// ds)_ij.
struct Propagator {
  std::uint32_t symbol = 0;  // [num, 2 num]
  std::vector<Id> rates;     // A [num, num]
};

/// Variables one step later, in the order of the equations.
struct Integrated {
  std::vector<Id> next;
  std::vector<Propagator> propagator;  // one where the method needs it, else none
  std::vector<Id> error;               // of `next`, estimated, where steps can be longer and shorter: of rodas4
};

/// The method that the equations call for, and why: exact where they are linear with shared coefficients and t does not drive them,
/// exponential Euler where each is linear in its own variable, else Heun's with noise and fourth-order Runge-Kutta without.
struct Advice {
  Method method = Method::euler;
  std::string reason;
};
Advice advise(Graph& graph, const Dynamics& dynamics);

/// Of x' = f(x, t), dt = h, with x and ξ as above:
///
///   exact              x' = A x + b:  e^{A h} x + ∫₀ʰ e^{A s} ds b, b as it is at the start of the step; without noise, or as
///                      exponential_euler where no equation needs another
///   exponential_euler  x' = a x + b + c ξ:  x + h (a x + b) exprel(a h) + h c ξ √exprel(2 a h): exact where a, b and c stay
///   euler              x + h f; noise in the sense of Itô
///   heun               x + h/2 (f(x) + f(x + h f)); noise in the sense of Stratonovich, as in milstein, rk2 and rk4
///   rk2                x + h f(x + h/2 f, t + h/2)
///   rk4                Runge and Kutta's of order four
///   milstein           x + h f + ½ c c′ (h ξ)²; one source of noise an equation, scaled by that variable alone
///   rodas4             Rosenbrock's of order four, for stiff equations (rosenbrock.hpp)
///
/// Order: measured for each    (integrate_test.cpp: Integrators.HaveTheirOrder, Integrators.NoiseHasItsStrongOrder)
/// Throws: SpecError where the equations do not have the form that a method needs.
/// Reference: Kloeden & Platen 1992; Hochbruck & Ostermann 2010, doi 10.1017/S0962492910000048
Integrated integrate(Graph& graph, const Dynamics& dynamics, Method method);

/// Coefficients of a propagator: rates [num, num], out [num, 2 num].
/// Accuracy: 1e-13 of the largest    (integrate_test.cpp: Integrators.ExactIsExact)
void propagate(std::span<const double> rates, double dt, std::span<double> out);

/// root with symbols replaced by expressions.
struct Replacement {
  std::uint32_t symbol;
  Id by;
};
std::vector<Id> replace(Graph& graph, std::span<const Id> roots, std::span<const Replacement> replacements);

}  // namespace hartline::equations
