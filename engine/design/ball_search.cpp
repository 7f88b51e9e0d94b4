#include "design/ball_search.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.hpp"
#include "numerics/dense.hpp"

namespace hartline::design {

namespace {

constexpr int max_space = static_cast<int>(BallSearch::max_space);
using SmallMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor, max_space, max_space>;
using SmallVector = Eigen::Matrix<double, Eigen::Dynamic, 1, Eigen::ColMajor, max_space, 1>;

/// The problem in the eigenbasis of the (restricted) covariance: maximise U(b, q) with y in place of x.
struct Reduced {
  int dim = 0;
  std::array<double, max_space> c;    // eigenvalues, falling
  std::array<double, max_space> gap;  // c[0] - c[i], kept above 1e-7 c[0]
  std::array<double, max_space> u;    // μ
  std::array<double, max_space> t;    // μ for the tracing: its top component is not zero
  std::array<double, max_space> w;    // c_b
  double mean_bias = 0, variance_bias = 0, power = 1;
  bool has_w = false;
};

/// A point of the curve: x = scale · (δ + gap)⁻¹ (w + ν t).
struct Point {
  double offset = 0;  // distance of δ from the lower end of the curve
  int branch = 0;     // which root ν
  double scale = 1;
};

/// The curve δ = λ - c[0] from `low` to infinity.
class Curve {
 public:
  explicit Curve(const Reduced& problem) : p_(problem), low_(lowest()) {}

  /// Both roots ν at δ; false where the curve has no point.
  bool roots(double delta, double nu[2]) const {
    double a = 0, b = 0, c = 0;
    for (int i = 0; i < p_.dim; ++i) {
      const double r = 1 / (delta + (i ? gap(i) : 0));
      const double tr = p_.t[idx(i)] * r, wr = p_.w[idx(i)] * r;
      a += tr * tr;
      b += tr * wr;
      c += wr * wr;
    }
    const double discriminant = b * b - a * (c - p_.power);
    if (!(discriminant >= 0) || !std::isfinite(a)) return false;
    const double root = std::sqrt(discriminant);
    nu[0] = (-b + root) / a;
    nu[1] = (-b - root) / a;
    return true;
  }

  double low() const { return low_; }

  /// y at a point; false where there is none.
  bool at(const Point& point, double* y) const {
    const double delta = low_ + point.offset;
    double nu[2];
    if (delta == 0 || !roots(delta, nu)) return false;
    double norm = 0;
    for (int i = 0; i < p_.dim; ++i) {
      y[i] = (p_.w[idx(i)] + nu[point.branch] * p_.t[idx(i)]) / (delta + (i ? gap(i) : 0));
      norm += y[i] * y[i];
    }
    const double scale = point.scale * std::sqrt(p_.power / norm);
    for (int i = 0; i < p_.dim; ++i) y[i] *= scale;
    return std::isfinite(scale);
  }

 private:
  static std::size_t idx(int i) { return static_cast<std::size_t>(i); }
  double gap(int i) const { return p_.gap[idx(i)]; }

  /// Σ t_i² / (δ + gap_i), whose root in (-gap_1, 0) is the top eigenvalue of C restricted to t⊥.
  double secular(double delta) const {
    double total = 0;
    for (int i = 0; i < p_.dim; ++i) total += p_.t[idx(i)] * p_.t[idx(i)] / (delta + (i ? gap(i) : 0));
    return total;
  }

  double lowest() const {
    if (p_.dim < 2) return 0;
    // bisection in the logarithm of -δ: the root may be as near to zero as 1e-14 of the gap
    double near = -1e-30 * gap(1), far = -gap(1) * (1 - 1e-15);
    if (secular(far) <= 0) return far;
    for (int i = 0; i < 120 && far / near > 1 + 1e-15; ++i) {
      const double middle = -std::sqrt(near * far);
      (secular(middle) < 0 ? near : far) = middle;
    }
    const double restricted = near;
    double nu[2];
    if (!p_.has_w || roots(restricted, nu)) return restricted;
    // with a bias the curve may begin higher up, where its two roots meet
    double out = restricted, in = std::max(p_.c[0], 1e-300);
    while (!roots(in, nu)) in *= 4;
    for (int i = 0; i < 200 && in - out > 1e-15 * std::abs(in); ++i) {
      const double middle = 0.5 * (in + out);
      (roots(middle, nu) ? in : out) = middle;
    }
    return in;
  }

  const Reduced& p_;
  double low_;
};

constexpr std::size_t num_grid = 112;                 // points of a branch
constexpr double grid_low = 1e-20, grid_high = 1e8;   // offsets, in units of c[0]
constexpr int num_zoom = 16;

}  // namespace

struct BallScratch {
  explicit BallScratch(std::size_t n, std::size_t space)
      : dim(n), basis(space * n), product(n), candidate(n), image(space * n) {}
  std::size_t dim;
  std::vector<double> basis;      // [space, n] orthonormal rows
  std::vector<double> product;    // [n]
  std::vector<double> candidate;  // [n]
  std::vector<double> image;      // [space, n] C times the basis
  SmallMatrix restricted;
  Eigen::SelfAdjointEigenSolver<SmallMatrix> solver{max_space};
  Reduced problem;
  std::array<double, 2 * num_grid * 8> m, v, utility;
  std::array<Point, 2 * num_grid * 8> points;
};

void FreeBallScratch::operator()(BallScratch* scratch) const { delete scratch; }

BallSearch::BallSearch(LinearUtility utility, double power, std::int64_t max_products)
    : utility_(utility), power_(power), max_products_(std::min(static_cast<std::size_t>(max_products), max_space)) {}

BallScratchPtr BallSearch::make_scratch(std::size_t n) const { return BallScratchPtr(new BallScratch(n, std::min(n, max_space))); }

namespace {

/// Orthonormal basis of a block Krylov space with full reorthogonalisation; a direction that adds nothing is dropped.
class Krylov {
 public:
  Krylov(BallScratch& scratch, const models::GaussianView& view, std::size_t max_size)
      : s_(scratch), view_(view), max_size_(std::min(max_size, scratch.dim)) {}

  bool full() const { return size_ >= max_size_; }
  std::size_t size() const { return size_; }
  std::size_t num_products() const { return num_products_; }

  /// Adds s_.candidate unless it lies in the space already.
  void add() {
    if (full()) return;
    const std::size_t n = s_.dim;
    double* x = s_.candidate.data();
    const double before = std::sqrt(numerics::dot(x, x, n));
    if (!(before > 0)) return;
    numerics::add_scaled(x, 1 / before - 1, x, n);
    double coefficients[max_space];
    for (int pass = 0; pass < 2; ++pass) {
      numerics::multiply_rows(s_.basis.data(), n, 0, size_, n, x, coefficients);
      for (std::size_t k = 0; k < size_; ++k) numerics::add_scaled(x, -coefficients[k], &s_.basis[k * n], n);
      if (pass == 0 && numerics::dot(x, x, n) > 0.25) break;  // little was removed: one pass is enough
    }
    const double left = std::sqrt(numerics::dot(x, x, n));
    if (left < 1e-10) return;
    double* row = &s_.basis[size_ * n];
    for (std::size_t i = 0; i < n; ++i) row[i] = x[i] / left;
    ++size_;
  }

  /// Multiplies the next vector of the basis by C and adds the image; false when the space is closed under C.
  bool expand() {
    if (num_products_ == size_) return false;
    const std::size_t n = s_.dim;
    double* image = &s_.image[num_products_ * n];
    numerics::multiply_rows(view_.covariance, view_.dim, 0, n, n, &s_.basis[num_products_ * n], image);
    ++num_products_;
    std::copy(image, image + n, s_.candidate.begin());
    add();
    return true;
  }

  /// The restriction of C to the vectors that have been multiplied.
  void restrict_to(SmallMatrix& out) const {
    const auto k = static_cast<Eigen::Index>(num_products_);
    out.resize(k, k);
    for (Eigen::Index i = 0; i < k; ++i)
      numerics::multiply_rows(s_.basis.data(), s_.dim, 0, num_products_, s_.dim, &s_.image[static_cast<std::size_t>(i) * s_.dim],
                              out.col(i).data());
  }

 private:
  BallScratch& s_;
  const models::GaussianView& view_;
  std::size_t max_size_, size_ = 0, num_products_ = 0;
};

}  // namespace

BallOptimum BallSearch::operator()(const models::GaussianView& view, std::span<const double> hint, std::uint64_t seed,
                                   std::uint64_t trial, const Budget& budget, BallScratch& s, std::span<double> x) const {
  const std::size_t n = view.stimulus_dim;
  const bool bias = view.dim > n;
  BallOptimum best;

  // the space to search in
  Krylov space(s, view, n <= full_dim ? n : std::min(max_products_, n));
  std::copy(view.mean, view.mean + n, s.candidate.begin());
  space.add();
  if (bias) {
    for (std::size_t i = 0; i < n; ++i) s.candidate[i] = view.covariance[i * view.dim + n];
    space.add();
  }
  if (!hint.empty()) {
    std::copy(hint.begin(), hint.end(), s.candidate.begin());
    space.add();
  }
  for (std::uint64_t k = 0; space.size() < (n <= full_dim ? n : 1) || k == 0; ++k) {
    Stream(seed, Purpose::tie, trial, k).fill_normal(s.candidate);
    space.add();
    if (space.full()) break;
  }
  while (best.units < 2 || budget.allows(best.units)) {
    if (!space.expand()) break;
    ++best.units;
  }
  space.restrict_to(s.restricted);
  s.solver.compute(s.restricted);

  // the problem in its eigenbasis, largest eigenvalue first
  Reduced& p = s.problem;
  const int dim = static_cast<int>(space.num_products());
  const auto& vectors = s.solver.eigenvectors();
  p.dim = dim;
  p.power = power_;
  p.mean_bias = bias ? view.mean[n] : 0;
  p.variance_bias = bias ? view.covariance[n * view.dim + n] : 0;
  p.has_w = false;
  double mean_in[max_space], bias_in[max_space];
  numerics::multiply_rows(s.basis.data(), n, 0, space.num_products(), n, view.mean, mean_in);
  if (bias) {
    for (std::size_t i = 0; i < n; ++i) s.candidate[i] = view.covariance[i * view.dim + n];
    numerics::multiply_rows(s.basis.data(), n, 0, space.num_products(), n, s.candidate.data(), bias_in);
  }
  double length = 0;
  for (int i = 0; i < dim; ++i) {
    const auto to = static_cast<std::size_t>(i);
    const Eigen::Index from = dim - 1 - i;
    p.c[to] = s.solver.eigenvalues()[from];
    p.gap[to] = std::max(p.c[0] - p.c[to], 1e-7 * p.c[0]);
    p.u[to] = p.w[to] = 0;
    for (int k = 0; k < dim; ++k) {
      p.u[to] += vectors(k, from) * mean_in[k];
      if (bias) p.w[to] += vectors(k, from) * bias_in[k];
    }
    length += p.u[to] * p.u[to];
    p.has_w = p.has_w || p.w[to] != 0;
  }
  length = std::sqrt(length);
  p.t = p.u;
  const double least = length > 0 ? 1e-6 * length : 1;
  if (std::abs(p.t[0]) < least) p.t[0] = p.t[0] < 0 ? -least : least;

  // trace the curve, then zoom in around the best points
  const Curve curve(p);
  double y[max_space];
  const auto score = [&](std::size_t count) {
    std::size_t kept = 0;
    for (std::size_t k = 0; k < count; ++k) {
      if (!curve.at(s.points[k], y)) continue;
      double b = p.mean_bias, q = p.variance_bias;
      for (int i = 0; i < dim; ++i) {
        const auto j = static_cast<std::size_t>(i);
        b += p.u[j] * y[i];
        q += (p.c[j] * y[i] + 2 * p.w[j]) * y[i];
      }
      s.points[kept] = s.points[k];
      s.m[kept] = b;
      s.v[kept] = std::max(q, 0.0);
      ++kept;
    }
    utility_.evaluate({s.m.data(), kept}, {s.v.data(), kept}, {s.utility.data(), kept});
    return kept;
  };
  const bool edge_only = utility_.increases_with_variance();
  constexpr double scales[] = {1, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05, 0.02};
  const std::size_t num_scales = edge_only ? 1 : std::size(scales);
  std::size_t count = 0;
  for (int branch = 0; branch < 2; ++branch)
    for (std::size_t k = 0; k < num_grid; ++k)
      for (std::size_t j = 0; j < num_scales; ++j) {
        const double u = static_cast<double>(k) / (num_grid - 1);
        s.points[count++] = {p.c[0] * grid_low * std::pow(grid_high / grid_low, u), branch, scales[j]};
      }
  count = score(count);
  struct Start {
    double utility = -1;
    Point point;
    double m = 0, v = 0;
  };
  std::array<Start, 2> starts;  // the best of either branch
  for (std::size_t k = 0; k < count; ++k) {
    Start& start = starts[static_cast<std::size_t>(s.points[k].branch)];
    if (s.utility[k] > start.utility) start = {s.utility[k], s.points[k], s.m[k], s.v[k]};
  }
  Start top;
  for (int branch = 0; branch < 2; ++branch) {
    Start start = starts[static_cast<std::size_t>(branch)];
    if (start.utility < 0) continue;
    double ratio = std::pow(grid_high / grid_low, 1.0 / (num_grid - 1)), scale_ratio = 1.5;
    for (int round = 0; round < 6; ++round) {
      count = 0;
      for (int k = -num_zoom / 2; k <= num_zoom / 2; ++k) {
        const double factor = std::pow(ratio, 2.0 * k / num_zoom);
        for (int j = edge_only ? 0 : -3; j <= (edge_only ? 0 : 3); ++j) {
          const double scale = start.point.scale * std::pow(scale_ratio, j / 3.0);
          if (scale <= 1) s.points[count++] = {start.point.offset * factor, branch, scale};
        }
      }
      if (!edge_only && start.point.scale < 1) s.points[count++] = {start.point.offset, branch, std::min(1.0, start.point.scale * scale_ratio)};
      count = score(count);
      for (std::size_t k = 0; k < count; ++k)
        if (s.utility[k] > start.utility) start = {s.utility[k], s.points[k], s.m[k], s.v[k]};
      ratio = std::pow(ratio, 2.5 / num_zoom);
      scale_ratio = std::pow(scale_ratio, 0.5);
    }
    if (start.utility > top.utility) top = start;
  }

  // back to the stimulus
  curve.at(top.point, y);
  double coefficients[max_space];
  for (int k = 0; k < dim; ++k) {
    coefficients[k] = 0;
    for (int i = 0; i < dim; ++i) coefficients[k] += vectors(k, dim - 1 - i) * y[i];
  }
  numerics::multiply_transposed(s.basis.data(), n, space.num_products(), n, coefficients, x.data());
  const double norm = numerics::dot(x.data(), x.data(), n);
  if (norm > power_) {
    const double scale = std::sqrt(power_ / norm);
    for (double& value : x) value *= scale;
  }
  best.utility = top.utility;
  best.m = top.m;
  best.v = top.v;
  return best;
}

}  // namespace hartline::design
