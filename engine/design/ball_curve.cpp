#include "design/ball_curve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/lanes.hpp"

namespace hartline::design {

using namespace numerics;

namespace {

constexpr std::size_t idx(int i) { return static_cast<std::size_t>(i); }

HARTLINE_INLINE Lanes root_of(Lanes x) {
  Lanes out;
  for (int k = 0; k < num_lanes; ++k) out[k] = std::sqrt(x[k] > 0 ? x[k] : 0.0);
  return out;
}

/// Sums over the coordinates of t² r², t r · u and c t² r² with r = 1 / (δ + gap): all that a curve without w needs.
HARTLINE_CLONES void sums_without_w(const Reduced& p, const double* deltas, double* norm, double* mean, double* variance) {
  const Lanes delta = load(deltas);
  Lanes a = spread(0), b = spread(0), q = spread(0);
  for (int i = 0; i < p.dim; ++i) {
    const Lanes y = spread(p.t[idx(i)]) / (delta + spread(p.gap[idx(i)]));
    const Lanes square = y * y;
    a += square;
    b += spread(p.u[idx(i)]) * y;
    q += spread(p.c[idx(i)]) * square;
  }
  store(norm, a);
  store(mean, b);
  store(variance, q);
}

/// The same with w, for the root of each lane's branch; norm is NaN where there is no root.
HARTLINE_CLONES void sums_with_w(const Reduced& p, const double* deltas, const double* branch_sign, double* norm, double* mean,
                                 double* variance, double* cross) {
  const Lanes delta = load(deltas);
  Lanes tt = spread(0), tw = spread(0), ww = spread(0);
  for (int i = 0; i < p.dim; ++i) {
    const Lanes r = spread(1) / (delta + spread(p.gap[idx(i)]));
    const Lanes t = spread(p.t[idx(i)]) * r, w = spread(p.w[idx(i)]) * r;
    tt += t * t;
    tw += t * w;
    ww += w * w;
  }
  const Lanes discriminant = tw * tw - tt * (ww - spread(p.power));
  const Lanes nu = (load(branch_sign) * root_of(discriminant) - tw) / tt;
  Lanes a = spread(0), b = spread(0), q = spread(0), x = spread(0);
  for (int i = 0; i < p.dim; ++i) {
    const Lanes y = (spread(p.w[idx(i)]) + nu * spread(p.t[idx(i)])) / (delta + spread(p.gap[idx(i)]));
    a += y * y;
    b += spread(p.u[idx(i)]) * y;
    q += spread(p.c[idx(i)]) * y * y;
    x += spread(p.w[idx(i)]) * y;
  }
  store(norm, (discriminant >= spread(0)) ? a : spread(std::numeric_limits<double>::quiet_NaN()));
  store(mean, b);
  store(variance, q);
  store(cross, x);
}

}  // namespace

void Curve::trace(const Point* points, std::size_t count, double* m, double* v) const {
  for (std::size_t first = 0; first < count; first += num_lanes) {
    const std::size_t here = std::min<std::size_t>(num_lanes, count - first);
    double delta[num_lanes], sign[num_lanes], norm[num_lanes], mean[num_lanes], variance[num_lanes], cross[num_lanes] = {};
    for (std::size_t k = 0; k < num_lanes; ++k) {
      const Point& point = points[first + std::min(k, here - 1)];
      delta[k] = low_ + point.offset;
      sign[k] = point.branch == 0 ? 1 : -1;
    }
    if (p_.has_w)
      sums_with_w(p_, delta, sign, norm, mean, variance, cross);
    else
      sums_without_w(p_, delta, norm, mean, variance);
    for (std::size_t k = 0; k < here; ++k) {
      const double length = points[first + k].scale * std::sqrt(p_.power / norm[k]);
      const bool there = delta[k] != 0 && norm[k] > 0 && std::isfinite(norm[k]) && std::isfinite(length);
      const double signed_length = p_.has_w ? length : sign[k] * length;
      const double nothing = std::numeric_limits<double>::quiet_NaN();
      m[first + k] = there ? p_.mean_bias + signed_length * mean[k] : nothing;
      v[first + k] = there ? std::max(0.0, p_.variance_bias + length * (length * variance[k] + 2 * cross[k])) : nothing;
    }
  }
}

/// Both roots ν at δ; false where the curve has no point.
bool Curve::roots(double delta, double nu[2]) const {
  double a = 0, b = 0, c = 0;
  for (int i = 0; i < p_.dim; ++i) {
    const double r = 1 / (delta + p_.gap[idx(i)]);
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

bool Curve::at(const Point& point, double* y) const {
  const double delta = low_ + point.offset;
  double nu[2];
  if (delta == 0 || !roots(delta, nu)) return false;
  double norm = 0;
  for (int i = 0; i < p_.dim; ++i) {
    y[i] = (p_.w[idx(i)] + nu[point.branch] * p_.t[idx(i)]) / (delta + p_.gap[idx(i)]);
    norm += y[i] * y[i];
  }
  const double scale = point.scale * std::sqrt(p_.power / norm);
  for (int i = 0; i < p_.dim; ++i) y[i] *= scale;
  return std::isfinite(scale);
}

/// Σ t_i² / (δ + gap_i), whose root in (-gap_1, 0) is the top eigenvalue of C restricted to t⊥.
double Curve::secular(double delta) const {
  double total = 0;
  for (int i = 0; i < p_.dim; ++i) total += p_.t[idx(i)] * p_.t[idx(i)] / (delta + p_.gap[idx(i)]);
  return total;
}

double Curve::lowest() const {
  if (p_.dim < 2) return 0;
  // bisection in the logarithm of -δ: the root may be as near to zero as 1e-14 of the gap
  double near = -1e-30 * p_.gap[1], far = -p_.gap[1] * (1 - 1e-15);
  if (secular(far) <= 0) return far;
  for (int i = 0; i < 120 && far / near > 1 + 1e-12; ++i) {
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

}  // namespace hartline::design
