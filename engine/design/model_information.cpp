#include "design/model_information.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"

namespace hartline::design {

using models::LawForm;
using models::LawPart;

namespace {

/// The law has this response with a probability, where others of its kind have a density.
bool is_end(const LawPart& part, std::span<const double> a, double r) {
  const bool censored_trace = part.law->form == LawForm::censored && part.law->kind == ResponseKind::trace;
  if (part.law->form == LawForm::clipped_normal || censored_trace) return r <= a[a.size() - 2] || r >= a[a.size() - 1];
  return part.law->form == LawForm::zero_inflated_gamma && r == 0;
}

double log_probability(const LawPart& part, std::span<const double> a, double r) {
  if (part.law->kind != ResponseKind::choice) return models::log_weight(*part.law, a, r) - models::log_norm(*part.law, a);
  const auto k = static_cast<std::size_t>(r);
  return k < a.size() ? std::log(a[k]) : -INFINITY;
}

}  // namespace

double ModelInformation::operator()(std::span<const double> w, std::span<const std::size_t> ends, const double* arguments,
                                    std::size_t stride, Scratch& s) const {
  const std::size_t num_models = laws_.size(), num_responses = laws_[0].size();
  s.first.assign(1, 0);
  for (const auto& laws : laws_) s.first.push_back(s.first.back() + num_drawn * (laws.back().first + laws.back().num));
  s.arguments.resize(s.first.back());
  s.share.assign(num_models, 0.0);
  s.log_p.resize(num_drawn);
  const auto arguments_of = [&](std::size_t m, std::size_t k) {
    const std::size_t num = laws_[m].back().first + laws_[m].back().num;
    return std::span<double>(&s.arguments[s.first[m] + k * num], num);
  };
  for (std::size_t m = 0; m < num_models; ++m) {
    const std::size_t begin = m == 0 ? 0 : ends[m - 1], end = ends[m];
    for (std::size_t i = begin; i < end; ++i) s.share[m] += w[i];
    if (!(s.share[m] > 0)) continue;
    double below = w[begin] * num_drawn;
    for (std::size_t k = 0, i = begin; k < num_drawn; ++k) {
      while ((static_cast<double>(k) + 0.5) * s.share[m] >= below && i + 1 < end) below += w[++i] * num_drawn;
      const std::span<double> a = arguments_of(m, k);
      for (std::size_t j = 0; j < a.size(); ++j) a[j] = arguments[j * stride + i];
      for (const LawPart& part : laws_[m])
        if (!models::is_valid(*part.law, part.of(a)))
          throw RunError({"model.response", "possible arguments of " + std::string(part.law->name),
                          fmt::format("{}", fmt::join(part.of(a), ", ")), ""});
    }
  }

  double out = 0, variance = 0;
  s.response.resize(num_responses);
  s.at_end.resize(num_responses);
  s.log_of_model.resize(num_models);
  for (std::size_t m = 0; m < num_models; ++m) {
    if (!(s.share[m] > 0)) continue;
    double total = 0, square = 0;
    for (std::size_t k = 0; k < num_drawn; ++k) {
      Stream stream(0, Purpose::imagine, m * num_drawn + k, num_drawn);
      const std::span<const double> own = arguments_of(m, k);
      for (std::size_t j = 0; j < num_responses; ++j) {
        s.response[j] = models::draw_response(*laws_[m][j].law, laws_[m][j].of(own), stream);
        s.at_end[j] = is_end(laws_[m][j], laws_[m][j].of(own), s.response[j]);
      }
      double mixed = 0;
      for (std::size_t other = 0; other < num_models; ++other) {
        if (!(s.share[other] > 0)) continue;
        double top = -INFINITY, sum = 0;
        for (std::size_t i = 0; i < num_drawn; ++i) {
          const std::span<const double> a = arguments_of(other, i);
          s.log_p[i] = 0;
          for (std::size_t j = 0; j < num_responses; ++j) {
            const LawPart& part = laws_[other][j];
            const bool same_kind = is_end(part, part.of(a), s.response[j]) == (s.at_end[j] != 0);
            s.log_p[i] += same_kind ? log_probability(part, part.of(a), s.response[j]) : -INFINITY;
          }
          top = std::max(top, s.log_p[i]);
        }
        for (std::size_t i = 0; i < num_drawn && top > -INFINITY; ++i) sum += std::exp(s.log_p[i] - top);
        s.log_of_model[other] = top + std::log(sum / num_drawn);
      }
      for (std::size_t other = 0; other < num_models; ++other)
        if (s.share[other] > 0) mixed += s.share[other] * std::exp(s.log_of_model[other] - s.log_of_model[m]);
      total -= std::log(mixed);
      square += std::log(mixed) * std::log(mixed);
    }
    const double mean = total / num_drawn;
    out += s.share[m] * mean;
    variance += s.share[m] * s.share[m] * std::max(0.0, square / num_drawn - mean * mean) / num_drawn;
  }
  s.standard_error = std::sqrt(variance);
  return out;
}

}  // namespace hartline::design
