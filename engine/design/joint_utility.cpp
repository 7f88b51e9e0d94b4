#include "design/joint_utility.hpp"

#include <algorithm>
#include <cmath>

namespace hartline::design {

namespace {

/// Cholesky factor in place, lower triangle; returns ½ log det.
double factor(std::size_t n, double* a) {
  double half_logdet = 0;
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = j; i < n; ++i) {
      double total = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) total -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? std::sqrt(std::max(total, 1e-300)) : total / a[j * n + j];
    }
    half_logdet += std::log(a[j * n + j]);
  }
  return half_logdet;
}

/// The inverse of A from its factor.
void invert(std::size_t n, const double* factor, double* out) {
  for (std::size_t c = 0; c < n; ++c) {
    double* x = out + c * n;  // column c, which is row c
    for (std::size_t i = 0; i < n; ++i) {
      double total = i == c ? 1 : 0;
      for (std::size_t k = 0; k < i; ++k) total -= factor[i * n + k] * x[k];
      x[i] = total / factor[i * n + i];
    }
    for (std::size_t i = n; i-- > 0;) {
      double total = x[i];
      for (std::size_t k = i + 1; k < n; ++k) total -= factor[k * n + i] * x[k];
      x[i] = total / factor[i * n + i];
    }
  }
}

}  // namespace

double joint_information(std::size_t n, const double* a, const double* v, JointScratch& s, double* da, double* dv) {
  double total = 0;
  for (std::size_t j = 0; j < n; ++j) total += a[j];
  if (n == 1) {
    if (da) da[0] = 1;
    if (dv) dv[0] = 0;
    return total;
  }
  // t_j over the standard deviation; a response that tells nothing shares nothing
  for (std::size_t j = 0; j < n; ++j) s.t[j] = a[j] > 0 && v[j * n + j] > 0 ? std::sqrt(-std::expm1(-2 * a[j]) / v[j * n + j]) : 0;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) s.matrix[j * n + k] = j == k ? 1 : s.t[j] * s.t[k] * v[j * n + k];
  total += factor(n, s.matrix.data());
  if (!da) return total;
  invert(n, s.matrix.data(), s.inverse.data());
  for (std::size_t j = 0; j < n; ++j) {
    double shared = 0;  // Σ_k≠j K_jk T_jk / t_j, the derivative of ½ log det by t_j
    for (std::size_t k = 0; k < n; ++k) {
      if (k == j) continue;
      const double part = s.inverse[j * n + k] * s.t[k];
      shared += part * v[j * n + k];
      dv[j * n + k] = 0.5 * part * s.t[j];
    }
    const double vjj = v[j * n + j];
    da[j] = s.t[j] > 0 ? 1 + shared * std::exp(-2 * a[j]) / (vjj * s.t[j]) : 1;
    dv[j * n + j] = vjj > 0 ? -0.5 * shared * s.t[j] / vjj : 0;
  }
  return total;
}

double joint_reduction(std::size_t n, const double* e, const double* v, const double* w, JointScratch& s, double* de, double* dv,
                       double* dw) {
  // X = (D⁻¹ + V)⁻¹ = E^½ K E^½ with K⁻¹ = P, P_jj = 1, P_jk = √(e_j e_k) V_jk
  for (std::size_t j = 0; j < n; ++j) s.t[j] = std::sqrt(std::max(e[j], 0.0));
  if (n == 1) {
    if (de) {
      de[0] = w[0];
      dv[0] = 0;
      dw[0] = e[0];
    }
    return e[0] * w[0];
  }
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) s.matrix[j * n + k] = j == k ? 1 : s.t[j] * s.t[k] * v[j * n + k];
  factor(n, s.matrix.data());
  invert(n, s.matrix.data(), s.inverse.data());
  double total = 0;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) total += s.inverse[j * n + k] * s.t[j] * s.t[k] * w[j * n + k];
  if (!de) return total;
  // Y = X W X = E^½ (K B K) E^½ with B = E^½ W E^½
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += s.inverse[j * n + i] * s.t[i] * s.t[k] * w[i * n + k];
      s.product[j * n + k] = sum;
    }
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < n; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += s.product[j * n + i] * s.inverse[i * n + k];
      dw[j * n + k] = s.inverse[j * n + k] * s.t[j] * s.t[k];
      if (j == k) {
        de[j] = e[j] > 0 ? sum / e[j] : w[j * n + j];
        dv[j * n + k] = 0;
      } else {
        dv[j * n + k] = -sum * s.t[j] * s.t[k];
      }
    }
  return total;
}

double JointUtility::value(std::size_t n, const double* m, const double* v, const double* w, JointScratch& s) const {
  using Kind = GaussianUtility::Kind;
  const Kind kind = utility_.kind();
  if (kind == Kind::variance_reduction || kind == Kind::target) {
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t jj = j * n + j;
      s.first[j] = kind == Kind::target ? information_about(utility_.law(), m[j], v[jj], v[jj]).value
                                        : shrinkage(utility_.law(), m[j], v[jj]).value;
      if (kind == Kind::target) s.second[j] = information_about(utility_.law(), m[j], v[jj], w[jj]).value;
    }
    if (kind == Kind::variance_reduction) return joint_reduction(n, s.first.data(), v, w, s);
    return joint_information(n, s.first.data(), v, s) - joint_information(n, s.second.data(), w, s);
  }
  for (std::size_t j = 0; j < n; ++j) s.t[j] = v[j * n + j];
  utility_.evaluate({m, n}, {s.t.data(), n}, {}, {s.first.data(), n});
  if (utility_.shared()) return joint_information(n, s.first.data(), v, s);
  double total = 0;
  for (std::size_t j = 0; j < n; ++j) total += s.first[j];
  return total;
}

double JointUtility::gradient(std::size_t n, const double* m, const double* v, const double* w, JointScratch& s, double* dm,
                              double* dv, double* dw) const {
  using Kind = GaussianUtility::Kind;
  const Kind kind = utility_.kind();
  for (std::size_t j = 0; j < n; ++j) {
    s.terms[j] = utility_.terms(m[j], v[j * n + j], utility_.needs_second() ? w[j * n + j] : 0);
    s.first[j] = s.terms[j].first.value;
    s.second[j] = s.terms[j].second.value;
  }
  double total = 0;
  if (kind == Kind::variance_reduction) {
    total = joint_reduction(n, s.first.data(), v, w, s, dm, dv, dw);
  } else if (!utility_.shared()) {
    std::fill(dv, dv + n * n, 0.0);
    for (std::size_t j = 0; j < n; ++j) {
      dm[j] = 1;
      total += s.first[j];
    }
  } else {
    total = joint_information(n, s.first.data(), v, s, dm, dv);
    if (kind == Kind::target) {
      total -= joint_information(n, s.second.data(), w, s, s.first.data(), dw);
      for (std::size_t i = 0; i < n * n; ++i) dw[i] = -dw[i];
    }
  }
  // dm holds the derivatives by the first terms so far, s.first those of the second ones
  for (std::size_t j = 0; j < n; ++j) {
    const GaussianUtility::Terms& terms = s.terms[j];
    const double by_first = dm[j], by_second = kind == Kind::target ? -s.first[j] : 0;
    dm[j] = by_first * terms.first.m + by_second * terms.second.m;
    dv[j * n + j] += by_first * terms.first.v + by_second * terms.second.v;
    if (kind == Kind::target) dw[j * n + j] += by_second * terms.second.w;
  }
  return total;
}

}  // namespace hartline::design
