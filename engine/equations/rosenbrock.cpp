#include "equations/rosenbrock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "equations/differentiate.hpp"

namespace hartline::equations {

namespace {

constexpr int num_stages = 6;
constexpr double gamma_0 = 0.25;
// the coefficients, in the form in which no stage multiplies by the Jacobian
constexpr double at[num_stages] = {0, 0.386, 0.21, 0.63, 1, 1};                 // times of the stages, of h
constexpr double in_time[num_stages] = {0.25, -0.1043, 0.1035, -0.0362, 0, 0};  // of h ∂f/∂t
constexpr double a[num_stages][num_stages - 1] = {                              // x of a stage: x + Σ a k
    {},
    {1.544},
    {0.9466785280815826, 0.2557011698983284},
    {3.314825187068521, 2.896124015972201, 0.9986419139977817},
    {1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950},
    {1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1}};
constexpr double c[num_stages][num_stages - 1] = {  // r of a stage: f + Σ c k / h
    {},
    {-5.6688},
    {-2.430093356833875, -0.2063599157091915},
    {-0.1073529058151375, -9.594562251023355, -20.47028614809616},
    {7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160},
    {8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054}};

/// Gauss's elimination of a matrix of expressions; what is 0 stays out of it.
class Elimination {
 public:
  Elimination(Graph& graph, std::vector<std::vector<Id>> matrix) : g_(graph), m_(std::move(matrix)) {
    const std::size_t num = m_.size();
    std::vector<bool> is_done(num);
    for (std::size_t round = 0; round < num; ++round) {
      const std::size_t pivot = cheapest(is_done);
      is_done[pivot] = true;
      order_.push_back(pivot);
      inverse_.push_back(g_.divide(g_.constant(1), m_[pivot][pivot]));
      for (std::size_t i = 0; i < num; ++i) {
        if (is_done[i] || is_zero(m_[i][pivot])) continue;
        m_[i][pivot] = g_.multiply(m_[i][pivot], inverse_.back());
        for (std::size_t j = 0; j < num; ++j)
          if (!is_done[j]) m_[i][j] = less(m_[i][j], m_[i][pivot], m_[pivot][j]);
      }
    }
  }

  std::vector<Id> solve(std::vector<Id> x) {
    const std::size_t num = x.size();
    for (std::size_t k = 0; k < num; ++k)
      for (std::size_t later = k + 1; later < num; ++later)
        x[order_[later]] = less(x[order_[later]], m_[order_[later]][order_[k]], x[order_[k]]);
    for (std::size_t k = num; k-- > 0;) {
      for (std::size_t later = k + 1; later < num; ++later)
        x[order_[k]] = less(x[order_[k]], m_[order_[k]][order_[later]], x[order_[later]]);
      x[order_[k]] = g_.multiply(x[order_[k]], inverse_[k]);
    }
    return x;
  }

 private:
  bool is_zero(Id id) const { return g_.is_constant(id, 0); }
  /// x − f y
  Id less(Id x, Id f, Id y) { return is_zero(f) || is_zero(y) ? x : g_.subtract(x, g_.multiply(f, y)); }

  /// The row whose elimination fills the fewest places (Markowitz 1957).
  std::size_t cheapest(const std::vector<bool>& is_done) const {
    std::size_t best = m_.size(), least = ~std::size_t{0};
    for (std::size_t k = 0; k < m_.size(); ++k) {
      if (is_done[k]) continue;
      std::size_t in_row = 0, in_column = 0;
      for (std::size_t j = 0; j < m_.size(); ++j) {
        if (is_done[j] || j == k) continue;
        in_row += !is_zero(m_[k][j]);
        in_column += !is_zero(m_[j][k]);
      }
      if (in_row * in_column < least) {
        least = in_row * in_column;
        best = k;
      }
    }
    return best;
  }

  Graph& g_;
  std::vector<std::vector<Id>> m_;  // multipliers below, what is left above
  std::vector<std::size_t> order_;
  std::vector<Id> inverse_;  // of the pivots
};

}  // namespace

Integrated rosenbrock(Graph& g, const Dynamics& dynamics) {
  const std::size_t num = dynamics.equations.size();
  const Id h = g.symbol_value(dynamics.dt), time = g.symbol_value(dynamics.time);
  std::vector<Id> x, slope, in_t;
  for (const Differential& equation : dynamics.equations) {
    const std::string path = fmt::format("d{}/dt", g.symbol(equation.variable).name);
    for (const std::uint32_t noise : dynamics.noise)
      if (depends_on(g, equation.slope, noise)) throw SpecError({path, "free of noise, for rodas4", "noise", "heun takes it."});
    x.push_back(g.symbol_value(equation.variable));
    slope.push_back(equation.slope);
    in_t.push_back(derivative(g, equation.slope, {dynamics.time, 0}));
  }
  std::vector<std::vector<Id>> matrix(num, std::vector<Id>(num));
  for (std::size_t i = 0; i < num; ++i)
    for (std::size_t j = 0; j < num; ++j) {
      const Id entry = g.apply(Op::negate, derivative(g, slope[i], {dynamics.equations[j].variable, 0}));
      matrix[i][j] = i == j ? g.add(g.divide(g.constant(1 / gamma_0), h), entry) : entry;
    }
  Elimination elimination(g, std::move(matrix));

  std::array<std::vector<Id>, num_stages> k;
  std::vector<Id> place;
  for (int s = 0; s < num_stages; ++s) {
    const auto combined = [&](std::size_t i, const double* weights) {
      Id sum = g.constant(0);
      for (int before = 0; before < s; ++before)
        if (weights[before] != 0) sum = g.add(sum, g.multiply(g.constant(weights[before]), k[static_cast<std::size_t>(before)][i]));
      return sum;
    };
    place.clear();
    for (std::size_t i = 0; i < num; ++i) place.push_back(g.add(x[i], combined(i, a[s])));
    std::vector<Replacement> there{{dynamics.time, g.add(time, g.multiply(g.constant(at[s]), h))}};
    for (std::size_t i = 0; i < num; ++i) there.push_back({dynamics.equations[i].variable, place[i]});
    std::vector<Id> right = replace(g, slope, there);
    for (std::size_t i = 0; i < num; ++i) {
      if (s > 0) right[i] = g.add(right[i], g.divide(combined(i, c[s]), h));
      if (in_time[s] != 0 && !g.is_constant(in_t[i], 0))
        right[i] = g.add(right[i], g.multiply(g.multiply(g.constant(in_time[s]), h), in_t[i]));
    }
    k[static_cast<std::size_t>(s)] = elimination.solve(std::move(right));
  }
  Integrated out;
  out.error = k.back();
  for (std::size_t i = 0; i < num; ++i) out.next.push_back(g.add(place[i], out.error[i]));
  return out;
}

}  // namespace hartline::equations
