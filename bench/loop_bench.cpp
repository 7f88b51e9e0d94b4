// A whole run, as the program does it: 25 x 33 Gabor, 5,000 trials, infomax in a ball.
#include <fmt/format.h>

#include <Eigen/Cholesky>

#include "bench/measure.hpp"
#include "loop/run.hpp"

namespace hartline::bench {

Rows loop_rows() {
  loop::Spec spec;
  spec.num_trials = 5000;
  spec.subject.truth = "gabor";
  spec.subject.gain = 3;
  spec.subject.gabor.sigma_px = 4;
  spec.subject.gabor.wavelength_px = 10;
  spec.stimulus.kind = "ball";
  spec.stimulus.shape = {25, 33};
  spec.model.items = {{"kind", Value{std::string("glm")}}};
  spec.belief.items = {{"prior_sd", Value{3 / std::sqrt(825.0)}}};
  const auto executor = make_serial_executor();
  const auto record = loop::make_null_record();
  const SteadyClock clock;

  const double begin = thread_ms(), wall_begin = wall_ms();
  const auto experiment = loop::build(spec, "", 1, *executor);
  loop::Run run(*experiment, *record, clock);
  run.go();
  const double ring_s = (thread_ms() - begin) * 1e-3;
  const auto& belief = static_cast<const models::GaussianBelief&>(run.learner().belief());
  const Eigen::Map<const Eigen::MatrixXd> covariance(belief.covariance.data(), 825, 825);
  const Eigen::LLT<Eigen::MatrixXd> cholesky(covariance);
  const double logdet_error = std::abs(cholesky.matrixLLT().diagonal().array().log().sum() - belief.half_logdet);
  const double finish_begin = thread_ms();
  run.finish();  // the refit on the whole history
  const double seconds = ring_s + (thread_ms() - finish_begin) * 1e-3, wall_s = (wall_ms() - wall_begin) * 1e-3;

  // the truth must be as far from the mean as the belief says: the squared distance in its own measure is about one a weight
  Eigen::VectorXd off(825);
  const Array mean = run.learner().mean();
  double length = 0;
  for (Eigen::Index i = 0; i < 825; ++i) {
    const auto k = static_cast<std::size_t>(i);
    off[i] = mean.values[k] - experiment->truth[k];
    length += experiment->truth[k] * experiment->truth[k];
  }
  const double error = off.norm() / std::sqrt(length), distance = off.dot(covariance.llt().solve(off)) / 825;
  Row row{"glm/825 run", "time", seconds, "s", "", {}, {}, "<= 60", seconds <= 60, "", true, false, ""};
  row.answer_ok = cholesky.info() == Eigen::Success && logdet_error < 1e-6 && error < 1 && std::abs(distance - 1) < 0.25;
  row.answer = fmt::format(
      "5,000 trials in {:.1f} s, then the refit; {:.1f} s on the wall with what else ran here; squared distance of the truth in "
      "the "
      "belief's measure {:.3f} a weight, relative error {:.3f}; half log-determinant off Cholesky's by {:.1e}",
      ring_s, wall_s, distance, error, logdet_error);
  return {row};
}

}  // namespace hartline::bench
