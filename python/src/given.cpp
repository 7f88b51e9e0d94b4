#include "given.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "base/error.hpp"
#include "convert.hpp"
#include "handles.hpp"

namespace hartline::python {

namespace {

class PythonFamily final : public models::Family {
 public:
  explicit PythonFamily(nb::object family) : family_(keep(std::move(family))) {
    const nb::object& python = *family_;
    num_choices_ = nb::cast<int>(python.attr("num_choices"));
    stimulus_dim = nb::cast<std::size_t>(python.attr("stimulus_dim"));
    if (num_choices_ < 0 || num_choices_ == 1 || num_choices_ > 64)
      throw SpecError({"family.num_choices", "0 for counts, or 2 … 64", fmt::format("{}", num_choices_), ""});
    for (nb::handle item : python.attr("parameters").attr("items")()) {
      models::Parameter parameter{nb::cast<std::string>(item[0]), "", {}};
      Numbers values;
      if (!nb::try_cast(item[1], values) || values.array.size() == 0)
        throw SpecError(
            {"family.parameters." + parameter.name, "the values of its grid", nb::cast<std::string>(nb::repr(item[1])), ""});
      parameter.values = values.vector();
      parameters.push_back(std::move(parameter));
    }
    if (parameters.empty() || parameters.size() > 16)
      throw SpecError({"family.parameters", "1 to 16 parameters", fmt::format("{}", parameters.size()), ""});
  }

  int num_choices() const override { return num_choices_; }

  void evaluate(const double* stimulus, const double* of_one, double* out) const override {
    evaluate_all(stimulus, 1, of_one, out);
  }

  void evaluate_all(const double* stimulus, std::size_t num, const double* of_all, double* out) const override {
    const nb::gil_scoped_acquire lock;
    const std::size_t num_out = static_cast<std::size_t>(std::max(num_choices_, 1));
    const auto dim = static_cast<std::int64_t>(stimulus_dim), count = static_cast<std::int64_t>(num);
    // copies: the caller's arrays end with this call, Python may keep what it was given
    const nb::object x = nb::cast(hand_over({stimulus, stimulus + stimulus_dim}, {dim}));
    nb::dict named;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      std::vector<double> column(num);
      for (std::size_t i = 0; i < num; ++i) column[i] = of_all[i * parameters.size() + k];
      named[parameters[k].name.c_str()] = hand_over(std::move(column), {count});
    }
    const nb::object result = family_->attr("evaluate")(x, **named);
    Numbers numbers;
    if (!nb::try_cast(result, numbers) || numbers.array.size() != num * num_out)
      throw SpecError(
          {"family.evaluate", fmt::format("an array [{}{}]", num, num_choices_ ? fmt::format(", {}", num_choices_) : ""),
           nb::cast<std::string>(nb::repr(result)).substr(0, 80), "One value, or row of probabilities, for each node."});
    const std::span<const double> values = numbers.span();
    for (std::size_t i = 0; i < num; ++i) {
      double sum = 0;
      for (std::size_t c = 0; c < num_out; ++c) {
        const double v = values[i * num_out + c];
        if (!std::isfinite(v) || v < 0)
          throw SpecError({"family.evaluate", "finite and >= 0", number_text(v), fmt::format("at stimulus {}", stimulus[0])});
        out[i * num_out + c] = v;
        sum += v;
      }
      if (num_choices_ > 0 && std::abs(sum - 1) > 1e-9)
        throw SpecError(
            {"family.evaluate", "probabilities that sum to 1", number_text(sum), fmt::format("at stimulus {}", stimulus[0])});
    }
  }

 private:
  std::shared_ptr<nb::object> family_;
  int num_choices_ = 0;
};

/// Shown as requested, answered at once. Time goes by trial_ms a trial, or by the object's method `now_s`.
class PythonSubject final : public loop::Subject {
 public:
  PythonSubject(std::shared_ptr<nb::object> subject, const loop::Experiment& experiment)
      : subject_(std::move(subject)), experiment_(experiment) {
    const nb::gil_scoped_acquire lock;
    has_clock_ = nb::hasattr(*subject_, "now_s") && !subject_->attr("now_s").is_none();
  }

  void request(Trial& trial) const override {
    trial.requested.clock.assign("subject");
    trial.requested.time_ns = offset_ns_ + time_ns(trial.index);
  }

  void present(std::span<const double> /*values*/, Trial& trial) override {
    loop::show_as_requested(trial);
    const nb::gil_scoped_acquire lock;
    const nb::object python = nb::cast(handle_of(experiment_, trial));
    const nb::object respond = nb::hasattr(*subject_, "respond") ? nb::object(subject_->attr("respond")) : *subject_;
    Response response = response_from(respond(python.attr("stimulus"), python), experiment_.answering());
    loop::Answer& answer = answers_.add(trial.index);
    answer.token = trial.token;
    answer.response = std::move(response);
    last_ = trial.index;
  }

  void recall(std::span<const double> /*values*/, const Trial& trial) override {
    const nb::gil_scoped_acquire lock;
    if (!nb::hasattr(*subject_, "recall")) return;
    const nb::object python = nb::cast(handle_of(experiment_, trial));
    subject_->attr("recall")(python.attr("stimulus"), python);
  }

  bool next_answer(bool wait, loop::Answer& out) override { return answers_.take(last_, wait, out); }

  void resume_after(const Trial& last, std::int64_t gap_ns) override {
    offset_ns_ = last.requested.time_ns - time_ns(last.index) + gap_ns;
  }

 private:
  std::int64_t time_ns(std::int64_t trial) const {
    if (!has_clock_) return std::llround(experiment_.spec.subject.trial_ms * 1e6 * static_cast<double>(trial));
    const nb::gil_scoped_acquire lock;
    return std::llround(nb::cast<double>(subject_->attr("now_s")()) * 1e9);
  }

  std::shared_ptr<nb::object> subject_;
  const loop::Experiment& experiment_;
  bool has_clock_ = false;
  loop::AnswerQueue answers_;
  std::int64_t last_ = -1, offset_ns_ = 0;
};

}  // namespace

std::unique_ptr<models::Family> make_family(nb::object family) { return std::make_unique<PythonFamily>(std::move(family)); }

std::unique_ptr<loop::Subject> make_subject(std::shared_ptr<nb::object> subject, const loop::Experiment& experiment) {
  return std::make_unique<PythonSubject>(std::move(subject), experiment);
}

}  // namespace hartline::python
