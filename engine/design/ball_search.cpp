#include "design/ball_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "design/ball_curve.hpp"
#include "numerics/dense.hpp"
#include "numerics/symmetric_eigen.hpp"

namespace hartline::design {

namespace {

constexpr int max_space = static_cast<int>(BallSearch::max_space);
static_assert(BallSearch::max_space <= max_curve_dim && max_space <= numerics::SymmetricEigen::max_dim);

constexpr std::size_t num_grid = 112;  // most points of a branch
constexpr double grid_low = 1e-20;     // of the offsets, in units of c[0]
constexpr double per_decade = 4;       // points, up to 10 c[0]; one above, where the curve only nears its end
constexpr double zoom[16] = {-1, -.875, -.75, -.625, -.5, -.375, -.25, -.125, .125, .25, .375, .5, .625, .75, .875, 1};
constexpr std::size_t many_dim = 256, first_look = 24, look_every = 8;  // from how many dimensions, and at how many products
constexpr double least_gain = 1e-6;                                     // of the utility, by look_every products
constexpr std::size_t num_scales = 8, max_points = 2 * num_grid * num_scales;

}  // namespace

struct BallScratch {
  explicit BallScratch(std::size_t n, std::size_t space)
      : dim(n), basis(space * n), candidate(n), part(n), image(numerics::max_together * n) {}
  std::size_t dim;
  std::vector<double> basis;      // [space, n] orthonormal rows
  std::vector<double> candidate;  // [n]
  std::vector<double> part;       // [n]
  std::vector<double> image;      // [max_together, n] C times rows of the basis
  numerics::SymmetricEigen::Matrix restricted, leading;
  numerics::SymmetricEigen eigen;
  Reduced problem;
  std::array<double, max_points> m, v, utility;
  std::array<Point, max_points> points;
};

void FreeBallScratch::operator()(BallScratch* scratch) const { delete scratch; }

BallSearch::BallSearch(LinearUtility utility, double power, std::int64_t max_products)
    : utility_(utility), power_(power), max_products_(std::min(static_cast<std::size_t>(max_products), max_space)) {}

BallScratchPtr BallSearch::make_scratch(std::size_t n) const { return BallScratchPtr(new BallScratch(n, std::min(n, max_space))); }

namespace {

/// Orthonormal basis of a block Krylov space with full reorthogonalisation, and the restriction of C to it; a direction that adds
/// nothing is dropped.
class Krylov {
 public:
  Krylov(BallScratch& scratch, const models::GaussianView& view, std::size_t max_size)
      : s_(scratch), view_(view), max_size_(std::min(max_size, scratch.dim)) {
    s_.restricted.resize(static_cast<Eigen::Index>(max_size_), static_cast<Eigen::Index>(max_size_));
  }

  bool full() const { return size_ >= max_size_; }
  std::size_t size() const { return size_; }
  std::size_t num_products() const { return num_products_; }

  /// Adds s_.candidate unless it lies in the space already.
  void add() {
    double coefficients[max_space];
    if (!full()) append(coefficients);
  }

  /// Multiplies the next vectors of the basis by C, as many as the budget and the goal allow but no more than share one reading of
  /// C, and adds their images; returns how many, 0 when the space is closed under C.
  std::size_t expand(const Budget& budget, std::size_t goal) {
    const std::size_t n = s_.dim, most = std::min({numerics::max_together, size_ - num_products_, goal - num_products_});
    std::size_t count = 0;
    while (count < most && (num_products_ + count < 2 || budget.allows(static_cast<std::int64_t>(num_products_ + count)))) ++count;
    numerics::multiply_rows_together(view_.covariance, view_.dim, n, n, &s_.basis[num_products_ * n], count, s_.image.data());
    for (std::size_t j = 0; j < count; ++j) {
      std::copy_n(&s_.image[j * n], n, s_.candidate.begin());
      take_image(num_products_++);
    }
    return count;
  }

 private:
  /// Takes in s_.candidate = C q_k.
  void take_image(std::size_t k) {
    double coefficients[max_space];
    if (full())
      numerics::multiply_rows(s_.basis.data(), s_.dim, 0, k + 1, s_.dim, s_.candidate.data(), coefficients);
    else
      append(coefficients);
    const auto column = static_cast<Eigen::Index>(k);
    for (Eigen::Index i = 0; i <= column; ++i)
      s_.restricted(i, column) = s_.restricted(column, i) = coefficients[static_cast<std::size_t>(i)];
  }

  /// Makes the candidate orthogonal to the basis and of length one and its next row, unless next to nothing is left of it.
  /// `coefficients`: its products with the rows before, [size].
  void append(double* coefficients) {
    const std::size_t n = s_.dim;
    double* x = s_.candidate.data();
    double again[max_space], before = numerics::dot(x, x, n);
    for (std::size_t i = 0; i < size_; ++i) coefficients[i] = 0;
    const double least = 1e-20 * before;
    if (!(before > 0)) return;
    for (int pass = 0; pass < 3 && size_ > 0; ++pass) {
      double* products = pass == 0 ? coefficients : again;
      numerics::multiply_rows(s_.basis.data(), n, 0, size_, n, x, products);
      numerics::multiply_transposed(s_.basis.data(), n, size_, n, products, s_.part.data());
      numerics::add_scaled(x, -1, s_.part.data(), n);
      const double after = numerics::dot(x, x, n);
      if (!(after > least)) return;
      if (after > 0.5 * before) break;
      before = after;
    }
    const double inverse = 1 / std::sqrt(numerics::dot(x, x, n));
    double* row = &s_.basis[size_ * n];
    for (std::size_t i = 0; i < n; ++i) row[i] = x[i] * inverse;
    ++size_;
  }

  BallScratch& s_;
  const models::GaussianView& view_;
  std::size_t max_size_, size_ = 0, num_products_ = 0;
};

/// Sets up the problem in the eigenbasis of the restricted covariance, largest eigenvalue first.
void reduce(const models::GaussianView& view, const Krylov& space, double power, BallScratch& s) {
  const std::size_t n = view.stimulus_dim;
  const bool bias = view.dim > n;
  const int dim = static_cast<int>(space.num_products());
  s.leading = s.restricted.topLeftCorner(dim, dim);
  s.eigen.compute(s.leading);
  Reduced& p = s.problem;
  p.dim = dim;
  p.power = power;
  p.mean_bias = bias ? view.mean[n] : 0;
  p.variance_bias = bias ? view.covariance[n * view.dim + n] : 0;
  p.has_w = false;
  double inside[max_space];
  numerics::multiply_rows(s.basis.data(), n, 0, space.num_products(), n, view.mean, inside);
  s.eigen.to_eigenbasis(inside, p.u.data());
  p.w.fill(0);
  if (bias) {
    for (std::size_t i = 0; i < n; ++i) s.candidate[i] = view.covariance[i * view.dim + n];
    numerics::multiply_rows(s.basis.data(), n, 0, space.num_products(), n, s.candidate.data(), inside);
    s.eigen.to_eigenbasis(inside, p.w.data());
  }
  double length = 0;
  for (int i = 0; i < dim; ++i) {
    const auto k = static_cast<std::size_t>(i);
    p.c[k] = s.eigen.values()[k];
    p.gap[k] = i ? std::max(p.c[0] - p.c[k], 1e-7 * p.c[0]) : 0;
    length += p.u[k] * p.u[k];
    p.has_w = p.has_w || p.w[k] != 0;
  }
  length = std::sqrt(length);
  p.t = p.u;
  const double least = length > 0 ? 1e-6 * length : 1;
  if (std::abs(p.t[0]) < least) p.t[0] = p.t[0] < 0 ? -least : least;
}

constexpr double nowhere = -std::numeric_limits<double>::infinity();  // less than any utility

/// A point of the curve with its utility.
struct Start {
  double utility = nowhere;
  Point point;
  double m = 0, v = 0;
};

/// The best point of the curve: traces it, then zooms in around the best point of either branch.
Start best_of_curve(const LinearUtility& utility, const Curve& curve, BallScratch& s) {
  const Reduced& p = s.problem;
  const auto score = [&](std::size_t count) {
    curve.trace(s.points.data(), count, s.m.data(), s.v.data());
    utility.evaluate({s.m.data(), count}, {s.v.data(), count}, {s.utility.data(), count});
    for (std::size_t k = 0; k < count; ++k)
      if (std::isnan(s.m[k])) s.utility[k] = nowhere;
  };
  const bool edge_only = utility.increases_with_variance();
  // without a bias the branches mirror each other, equal v and opposite m: of a pair of points the one with m > 0 may be enough
  const bool mirrored = !p.has_w && utility.never_falls_with_mean();
  const int num_branches = mirrored ? 1 : 2;
  const auto point_at = [&](double offset, int branch, double scale) {
    return Point{offset, mirrored ? (curve.low() + offset < 0 ? 1 : 0) : branch, scale};
  };
  constexpr double scales[num_scales] = {1, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05, 0.02};

  // offsets: from where the curve has not left its lower end yet, to where it has reached the direction of the mean
  std::array<double, num_grid> offsets;
  const double low = p.has_w ? grid_low : std::clamp(1e-6 * std::abs(curve.low()) / p.c[0], grid_low, 1.0);
  const double decades = std::log10(10 / low);
  const std::size_t num_fine = std::min(num_grid - 7, static_cast<std::size_t>(per_decade * decades) + 2);
  const double fine_ratio = std::pow(10, decades / static_cast<double>(num_fine - 1));
  offsets[0] = p.c[0] * low;
  for (std::size_t k = 1; k < num_fine; ++k) offsets[k] = offsets[k - 1] * fine_ratio;
  const std::size_t num_offsets = num_fine + 7;
  for (std::size_t k = num_fine; k < num_offsets; ++k) offsets[k] = offsets[k - 1] * 10;

  std::size_t count = 0;
  for (int branch = 0; branch < num_branches; ++branch)
    for (std::size_t k = 0; k < num_offsets; ++k)
      for (std::size_t j = 0; j < (edge_only ? 1 : num_scales); ++j) s.points[count++] = point_at(offsets[k], branch, scales[j]);
  score(count);
  const auto offer = [&](Start& start, std::size_t k) {
    if (s.utility[k] > start.utility) start = {s.utility[k], s.points[k], s.m[k], s.v[k]};
  };
  std::array<Start, 2> starts;  // the best of either branch
  for (std::size_t k = 0; k < count; ++k) offer(starts[mirrored ? 0 : static_cast<std::size_t>(s.points[k].branch)], k);
  Start top;
  for (int branch = 0; branch < 2; ++branch) {
    Start start = starts[static_cast<std::size_t>(branch)];
    if (start.utility == nowhere) continue;
    double ratio = std::log(start.point.offset > 9 * p.c[0] ? 10 : fine_ratio), scale_ratio = 1.5;
    if (edge_only) {
      for (int round = 0; round < 3; ++round) {
        for (std::size_t k = 0; k < 16; ++k) s.points[k] = point_at(start.point.offset * std::exp(ratio * zoom[k]), branch, 1);
        score(16);
        for (std::size_t k = 0; k < 16; ++k) offer(start, k);
        ratio *= 1.25 / 8;
      }
      // the last step: the top of the parabola through three points
      const double middle = start.utility;
      for (std::size_t k = 0; k < 2; ++k) s.points[k] = point_at(start.point.offset * std::exp(k ? ratio : -ratio), branch, 1);
      score(2);
      const double bend = s.utility[0] - 2 * middle + s.utility[1];
      if (bend < 0) {
        const double shift = std::clamp(0.5 * (s.utility[0] - s.utility[1]) / bend, -1.0, 1.0);
        s.points[0] = point_at(start.point.offset * std::exp(shift * ratio), branch, 1);
        score(1);
        offer(start, 0);
      }
    } else {
      for (int round = 0; round < 6; ++round) {
        count = 0;
        for (int k = -8; k <= 8; ++k)
          for (int j = -3; j <= 3; ++j) {
            const double scale = start.point.scale * std::pow(scale_ratio, j / 3.0);
            if (scale <= 1) s.points[count++] = point_at(start.point.offset * std::exp(ratio * k / 8), branch, scale);
          }
        if (start.point.scale < 1)
          s.points[count++] = point_at(start.point.offset, branch, std::min(1.0, start.point.scale * scale_ratio));
        score(count);
        for (std::size_t k = 0; k < count; ++k) offer(start, k);
        ratio *= 1.25 / 8;
        scale_ratio = std::sqrt(scale_ratio);
      }
    }
    if (start.utility > top.utility) top = start;
  }
  return top;
}

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
  for (std::uint64_t k = 0; space.size() < (n <= full_dim ? n : 1) || k == 0; ++k) {
    Stream(seed, Purpose::tie, trial, k).fill_normal(s.candidate);
    if (k == 0 && !hint.empty()) {
      const double length = std::sqrt(numerics::dot(hint.data(), hint.data(), n));
      if (length > 0) numerics::add_scaled(s.candidate.data(), std::sqrt(static_cast<double>(n)) / length, hint.data(), n);
    }
    space.add();
    if (space.full()) break;
  }

  // the space grows until it is as large as allowed or, where products are dear, until growing it gains next to nothing
  const std::size_t limit = std::min(n <= full_dim ? n : max_products_, n);
  std::size_t goal = n >= many_dim ? std::min(first_look, limit) : limit;
  Start top;
  while (true) {
    const std::size_t before = space.num_products();
    while (space.num_products() < goal && space.expand(budget, goal) > 0) {
    }
    if (space.num_products() == before) break;
    reduce(view, space, power_, s);
    const double gain_needed = least_gain * std::abs(top.utility), utility_before = top.utility;
    top = best_of_curve(utility_, Curve(s.problem), s);
    if (space.num_products() >= limit || (utility_before != nowhere && top.utility - utility_before <= gain_needed)) break;
    goal = std::min(goal + look_every, limit);
  }
  best.units = static_cast<std::int64_t>(space.num_products());

  // back to the stimulus
  double coefficients[max_space];
  Curve(s.problem).at(top.point, coefficients);
  s.eigen.from_eigenbasis(coefficients, coefficients);
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
