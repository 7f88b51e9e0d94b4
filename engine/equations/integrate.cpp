#include "equations/integrate.hpp"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <optional>
#include <unsupported/Eigen/MatrixFunctions>

#include "base/error.hpp"
#include "equations/differentiate.hpp"
#include "equations/rosenbrock.hpp"

namespace hartline::equations {

namespace {

/// A method at work on one set of equations.
class Integration {
 public:
  Integration(Graph& graph, const Dynamics& dynamics)
      : g_(graph), d_(dynamics), dt_(graph.symbol_value(dynamics.dt)), time_(graph.symbol_value(dynamics.time)) {
    for (const Differential& equation : d_.equations) {
      x_.push_back(g_.symbol_value(equation.variable));
      slope_.push_back(equation.slope);
    }
  }

  Integrated run(Method method) {
    switch (method) {
      case Method::exact:
        return exact();
      case Method::exponential_euler:
        return {exponential_euler(), {}, {}};
      case Method::euler:
        return {moved(slope_, dt_), {}, {}};
      case Method::heun: {
        const std::vector<Id> ahead = slopes_at(moved(slope_, dt_), dt_);
        return {moved(sums(slope_, ahead), half(dt_)), {}, {}};
      }
      case Method::rk2:
        return {moved(slopes_at(moved(slope_, half(dt_)), half(dt_)), dt_), {}, {}};
      case Method::rk4: {
        const std::vector<Id> k2 = slopes_at(moved(slope_, half(dt_)), half(dt_)), k3 = slopes_at(moved(k2, half(dt_)), half(dt_)),
                              k4 = slopes_at(moved(k3, dt_), dt_);
        const std::vector<Id> middle = sums(k2, k3);
        return {moved(sums(sums(slope_, k4), sums(middle, middle)), g_.divide(dt_, g_.constant(6))), {}, {}};
      }
      case Method::milstein:
        return {milstein(), {}, {}};
      case Method::rodas4:
        return rosenbrock(g_, d_);
    }
    return {};
  }

  /// Equation k as a x_k + rest, where it is linear in its own variable.
  std::optional<std::pair<Id, Id>> own_linear(std::size_t k) {
    const Variable own{d_.equations[k].variable, 0};
    const auto found = linear_in(g_, slope_[k], std::span<const Variable>(&own, 1));
    if (found.empty()) return {};
    return std::pair{found[0].coefficients[0], found[0].rest};
  }

  /// rest + Σ coefficient ξ. Throws: SpecError where it is not linear in the noise.
  std::pair<std::vector<Id>, Id> split_noise(Id root, std::size_t k) {
    std::vector<Variable> sources;
    for (const std::uint32_t symbol : d_.noise) sources.push_back({symbol, 0});
    const auto found = linear_in(g_, root, sources);
    if (found.empty()) throw SpecError({path(k), "linear in white noise", "noise inside a function or squared", ""});
    return {found[0].coefficients, found[0].rest};
  }

  bool is_noisy(Id root) const {
    return std::any_of(d_.noise.begin(), d_.noise.end(), [&](std::uint32_t s) { return depends_on(g_, root, s); });
  }
  bool is_noisy() const {
    return std::any_of(slope_.begin(), slope_.end(), [&](Id root) { return is_noisy(root); });
  }

  /// A and b of x' = A x + b with A shared; else empty. Where t drives them they change within a step.
  std::vector<Linear> all_linear(bool driven = false) {
    std::vector<Variable> variables;
    for (const Differential& equation : d_.equations) variables.push_back({equation.variable, 0});
    std::vector<Linear> out;
    for (const Id root : slope_) {
      auto found = linear_in(g_, root, variables);
      if (found.empty()) return {};
      for (const Id coefficient : found[0].coefficients)
        if (!is_shared(coefficient)) return {};
      if (!driven && depends_on(g_, found[0].rest, d_.time)) return {};
      out.push_back(std::move(found[0]));
    }
    return out;
  }

  /// Some equation needs the variable of another.
  bool is_coupled(const std::vector<Linear>& linear) const {
    for (std::size_t i = 0; i < linear.size(); ++i)
      for (std::size_t j = 0; j < linear.size(); ++j)
        if (i != j && !g_.is_constant(linear[i].coefficients[j], 0)) return true;
    return false;
  }

  std::string path(std::size_t k) const { return fmt::format("d{}/dt", g_.symbol(d_.equations[k].variable).name); }

 private:
  Id half(Id a) { return g_.multiply(g_.constant(0.5), a); }

  bool is_shared(Id root) const {
    bool shared = true;
    for_each_needed(g_, std::span<const Id>(&root, 1), [&](Id id) {
      const Node& node = g_.at(id);
      if (node.op == Op::symbol || node.op == Op::element) shared &= node.symbol != d_.time && d_.is_shared(node.symbol);
    });
    return shared;
  }

  /// x + h k
  std::vector<Id> moved(const std::vector<Id>& slopes, Id h) {
    std::vector<Id> out;
    for (std::size_t k = 0; k < x_.size(); ++k) out.push_back(g_.add(x_[k], g_.multiply(h, slopes[k])));
    return out;
  }
  std::vector<Id> sums(const std::vector<Id>& a, const std::vector<Id>& b) {
    std::vector<Id> out;
    for (std::size_t k = 0; k < a.size(); ++k) out.push_back(g_.add(a[k], b[k]));
    return out;
  }

  /// The slopes with the variables at `at`, `later` after the start of the step.
  std::vector<Id> slopes_at(const std::vector<Id>& at, Id later) {
    std::vector<Replacement> replacements{{d_.time, g_.add(time_, later)}};
    for (std::size_t k = 0; k < at.size(); ++k) replacements.push_back({d_.equations[k].variable, at[k]});
    return replace(g_, slope_, replacements);
  }

  Integrated exact() {
    const std::vector<Linear> linear = all_linear();
    if (linear.empty())
      throw SpecError({"method", "another one than exact",
                       all_linear(true).empty() ? "equations that are not linear with coefficients that all neurons share"
                                                : "equations that a function of t drives, which changes within a step",
                       "exponential_euler and rk4 take any of parameters and of t."});
    if (!is_coupled(linear)) return {exponential_euler(), {}, {}};
    if (is_noisy())
      throw SpecError({"method", "another one than exact", "coupled equations with noise", "euler and heun take them."});
    const std::size_t num = x_.size();
    Propagator propagator;
    propagator.symbol = g_.add_symbol({"propagator", {num, 2 * num}, {}, ""});
    for (const Linear& row : linear)
      propagator.rates.insert(propagator.rates.end(), row.coefficients.begin(), row.coefficients.end());
    const std::vector<bool> reaches = reachable(linear);
    Integrated out;
    for (std::size_t i = 0; i < num; ++i) {
      Id next = g_.constant(0);
      for (std::size_t j = 0; j < num; ++j) {
        if (!reaches[i * num + j]) continue;
        next = g_.add(next, g_.multiply(coefficient(propagator, i, j), x_[j]));
        next = g_.add(next, g_.multiply(coefficient(propagator, i, num + j), linear[j].rest));
      }
      out.next.push_back(next);
    }
    out.propagator.push_back(std::move(propagator));
    return out;
  }

  Id coefficient(const Propagator& propagator, std::size_t row, std::size_t column) {
    const std::array<Id, 2> at{g_.constant(static_cast<double>(row)), g_.constant(static_cast<double>(column))};
    return g_.element(propagator.symbol, at);
  }

  /// Which variables move which in the end.
  std::vector<bool> reachable(const std::vector<Linear>& linear) const {
    const std::size_t num = x_.size();
    std::vector<bool> out(num * num);
    for (std::size_t i = 0; i < num; ++i)
      for (std::size_t j = 0; j < num; ++j) out[i * num + j] = i == j || !g_.is_constant(linear[i].coefficients[j], 0);
    for (std::size_t via = 0; via < num; ++via)
      for (std::size_t i = 0; i < num; ++i)
        for (std::size_t j = 0; j < num; ++j)
          if (out[i * num + via] && out[via * num + j]) out[i * num + j] = true;
    return out;
  }

  std::vector<Id> exponential_euler() {
    std::vector<Id> out;
    for (std::size_t k = 0; k < x_.size(); ++k) {
      const auto linear = own_linear(k);
      if (!linear)
        throw SpecError(
            {path(k), "linear in its own variable, for exponential_euler", "one that is not", "rk4 takes any equation."});
      const Id a = linear->first;
      if (is_noisy(a))
        throw SpecError({path(k), "noise that its variable does not scale, for exponential_euler", "noise that it scales",
                         "heun and milstein take it."});
      const auto [sources, drift] = split_noise(linear->second, k);
      const Id x = x_[k], h = g_.multiply(a, dt_);
      const Id slope = g_.add(g_.multiply(a, x), drift);
      Id next = g_.is_constant(drift, 0) ? g_.multiply(x, g_.apply(Op::exp, h))
                                         : g_.add(x, g_.multiply(g_.multiply(dt_, slope), g_.apply(Op::exprel, h)));
      for (std::size_t m = 0; m < sources.size(); ++m) {
        if (g_.is_constant(sources[m], 0)) continue;
        const Id spread = g_.apply(Op::sqrt, g_.apply(Op::exprel, g_.multiply(g_.constant(2), h)));
        next = g_.add(next, g_.multiply(g_.multiply(dt_, g_.multiply(sources[m], g_.symbol_value(d_.noise[m]))), spread));
      }
      out.push_back(next);
    }
    return out;
  }

  std::vector<Id> milstein() {
    std::vector<Id> out = moved(slope_, dt_);
    for (std::size_t k = 0; k < x_.size(); ++k) {
      const auto [sources, drift] = split_noise(slope_[k], k);
      std::size_t num = 0;
      for (std::size_t m = 0; m < sources.size(); ++m) {
        if (g_.is_constant(sources[m], 0)) continue;
        for (std::size_t j = 0; j < x_.size(); ++j)
          if (j != k && depends_on(g_, sources[m], d_.equations[j].variable)) ++num;
        if (++num > 1)
          throw SpecError({path(k), "one source of noise, scaled by that variable alone, for milstein", "more", "heun takes any."});
        const Id slope = derivative(g_, sources[m], {d_.equations[k].variable, 0});
        const Id step = g_.multiply(dt_, g_.symbol_value(d_.noise[m]));
        out[k] = g_.add(out[k], g_.multiply(half(g_.multiply(sources[m], slope)), g_.multiply(step, step)));
      }
    }
    return out;
  }

  Graph& g_;
  const Dynamics& d_;
  Id dt_, time_;
  std::vector<Id> x_, slope_;
};

}  // namespace

const std::vector<MethodName>& methods() {
  static const std::vector<MethodName> all = {
      {"exact", Method::exact, "linear equations with shared coefficients"},
      {"exponential_euler", Method::exponential_euler, "equations that are linear in their own variable"},
      {"euler", Method::euler, "forward Euler, Euler-Maruyama"},
      {"heun", Method::heun, "Heun's, second order"},
      {"rk2", Method::rk2, "the midpoint rule, second order"},
      {"rk4", Method::rk4, "Runge and Kutta's, fourth order"},
      {"milstein", Method::milstein, "noise that a variable scales"},
      {"rodas4", Method::rodas4, "Rosenbrock's for stiff equations, fourth order, in steps as long as the tolerance allows"},
  };
  return all;
}

std::string_view name_of(Method method) {
  for (const MethodName& known : methods())
    if (known.method == method) return known.name;
  return "";
}

Advice advise(Graph& graph, const Dynamics& dynamics) {
  Integration integration(graph, dynamics);
  const std::vector<Linear> linear = integration.all_linear();
  const bool noisy = integration.is_noisy();
  if (!linear.empty() && !(noisy && integration.is_coupled(linear)))
    return {Method::exact, "the equations are linear with coefficients that all neurons share"};
  if (!noisy && !integration.all_linear(true).empty())
    return {Method::rk4, "the equations are linear, but t drives them within a step"};
  bool own = true;
  for (std::size_t k = 0; k < dynamics.equations.size() && own; ++k) {
    const auto found = integration.own_linear(k);
    own = found && !integration.is_noisy(found->first);
  }
  if (own) return {Method::exponential_euler, "each equation is linear in its own variable"};
  if (noisy) return {Method::heun, "some equation with noise is not linear in its own variable"};
  return {Method::rk4, "some equation is not linear in its own variable"};
}

Integrated integrate(Graph& graph, const Dynamics& dynamics, Method method) { return Integration(graph, dynamics).run(method); }

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Puts variables into units of their own, so that the exponential does not lose digits to coefficients of far-off sizes: a becomes
/// D⁻¹ a D (balancing, Parlett & Reinsch 1969). Returns D; powers of two leave every digit as it is.
Eigen::VectorXd balance(Matrix& a) {
  Eigen::VectorXd d = Eigen::VectorXd::Ones(a.rows());
  bool changed = true;
  for (int sweep = 0; sweep < 50 && changed; ++sweep) {
    changed = false;
    for (Eigen::Index i = 0; i < a.rows(); ++i) {
      const double own = std::abs(a(i, i)), row = a.row(i).cwiseAbs().sum() - own, column = a.col(i).cwiseAbs().sum() - own;
      if (row == 0 && column == 0) continue;
      // where a variable only moves others or is only moved, their sum becomes one
      const double by = row == 0 ? 1 / column : column == 0 ? row : std::sqrt(row / column);
      const double factor = std::exp2(std::round(std::log2(by)));
      if (!(factor < 0.5 || factor > 2)) continue;
      a.col(i) *= factor;
      a.row(i) /= factor;
      d(i) *= factor;
      changed = true;
    }
  }
  return d;
}

}  // namespace

void propagate(std::span<const double> rates, double dt, std::span<double> out) {
  const auto num = static_cast<Eigen::Index>(std::llround(std::sqrt(static_cast<double>(out.size()) / 2)));
  Matrix a = Eigen::Map<const Matrix>(rates.data(), num, num) * dt;
  const Eigen::VectorXd d = balance(a);
  // exp [[A, I], [0, 0]] dt holds e^{A dt} and the integral beside it
  Matrix whole = Matrix::Zero(2 * num, 2 * num);
  whole.topLeftCorner(num, num) = a;
  whole.topRightCorner(num, num) = Matrix::Identity(num, num) * dt;
  const Matrix both = whole.exp().topRows(num);
  Eigen::Map<Matrix> to(out.data(), num, 2 * num);
  to.leftCols(num) = d.asDiagonal() * both.leftCols(num) * d.cwiseInverse().asDiagonal();
  to.rightCols(num) = d.asDiagonal() * both.rightCols(num) * d.cwiseInverse().asDiagonal();
}

std::vector<Id> replace(Graph& graph, std::span<const Id> roots, std::span<const Replacement> replacements) {
  std::unordered_map<Id, Id> done;
  std::vector<Id> out;
  for (const Id root : roots)
    out.push_back(rewrite(graph, root, done, [&](const Node& node, Id) {
      if (node.op == Op::symbol)
        for (const Replacement& r : replacements)
          if (r.symbol == node.symbol) return r.by;
      return graph.remake(node);
    }));
  return out;
}

}  // namespace hartline::equations
