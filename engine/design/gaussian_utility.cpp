#include "design/gaussian_utility.hpp"

namespace hartline::design {

namespace {

GaussianUtility::Kind kind_named(const std::string& name) {
  if (name == "parameter_variance" || name == "prediction_error") return GaussianUtility::Kind::variance_reduction;
  if (name == "target") return GaussianUtility::Kind::target;
  if (name == "expected_response" || name == "upper_confidence") return GaussianUtility::Kind::response;
  return GaussianUtility::Kind::of_response;
}

}  // namespace

GaussianUtility::GaussianUtility(Utility utility, const models::ResponseLaw& law)
    : kind_(Kind::of_response), utility_(utility), law_(law), linear_(utility, law) {}

GaussianUtility::GaussianUtility(const DesignSpec& spec, const models::ResponseLaw& law)
    : kind_(spec.kind == "uncertainty" ? Kind::of_response : kind_named(spec.utility)),
      utility_(spec.kind == "uncertainty" ? Utility::posterior_variance : utility_named(spec.utility)),
      law_(law),
      linear_(utility_, law),
      kappa_(spec.utility == "upper_confidence" ? spec.kappa : 0) {}

bool GaussianUtility::shared() const {
  return kind_ != Kind::response && !(kind_ == Kind::of_response && utility_ == Utility::posterior_variance);
}

void GaussianUtility::evaluate(std::span<const double> m, std::span<const double> v, std::span<const double> w,
                               std::span<double> out) const {
  if (kind_ == Kind::of_response) return linear_.evaluate(m, v, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (kind_ == Kind::response)
      out[i] = confident_response(law_, kappa_, m[i], v[i]).value;
    else if (kind_ == Kind::variance_reduction)
      out[i] = shrinkage(law_, m[i], v[i]).value * w[i];
    else
      out[i] = information_about(law_, m[i], v[i], v[i]).value - information_about(law_, m[i], v[i], w[i]).value;
  }
}

GaussianUtility::Terms GaussianUtility::terms(double m, double v, double w) const {
  Terms out;
  if (kind_ == Kind::of_response) {
    out.first.value = linear_(m, v);
    linear_.gradient(m, v, out.first.m, out.first.v);
  } else if (kind_ == Kind::response) {
    out.first = confident_response(law_, kappa_, m, v);
  } else if (kind_ == Kind::variance_reduction) {
    out.first = shrinkage(law_, m, v);
  } else {
    const SlopeOfThree whole = information_about(law_, m, v, v);
    out.first = {whole.value, whole.m, whole.v + whole.w};
    out.second = information_about(law_, m, v, w);
  }
  return out;
}

}  // namespace hartline::design
