// The family of a text that tables can be made of.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "equations/kernel.hpp"
#include "models/encoding_text.hpp"

namespace hartline::models {

using equations::Id;

namespace {

class TextFamily final : public Family {
 public:
  TextFamily(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values)
      : text_(std::move(text)), program_(text_->program) {
    stimulus_dim = text_->stimulus_dim;
    for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
      const TextParameter& parameter = text_->parameters[k];
      const std::vector<double> nodes = parameter.prior.nodes(num_values[k]);
      for (const std::string& name : number_names(parameter.name, parameter.shape))
        parameters.push_back({name, parameter.unit_text, nodes, parameter.prior.period()});
    }
    const std::vector<Id>& outputs = program_.responses[0].arguments;
    num_out_ = outputs.size();
    std::vector<bool> varies(program_.graph.num_symbols(), true);
    for (std::size_t k = 0; k < text_->stimulus.size(); ++k) varies[program_.given[k]] = false;
    kernel_ = equations::make_kernel(program_.graph, outputs, varies);
  }

  const EncodingText& text() const { return *text_; }
  int num_choices() const override { return static_cast<int>(text_->responses[0].num_choices); }

  bool draw_prior(Stream& stream, std::span<double> out) const override {
    text_->draw_prior(stream, out);
    return true;
  }

  void evaluate(const double* stimulus, const double* p, double* out) const override { evaluate_all(stimulus, 1, p, out); }

  void evaluate_all(const double* stimulus, std::size_t num, const double* all, double* out) const override {
    thread_local std::vector<double> kept;
    thread_local std::vector<double*> columns;
    thread_local std::vector<equations::Input> inputs;
    std::vector<double> values = std::move(kept);
    values.resize(num_out_ * num);
    columns.resize(num_out_);
    for (std::size_t k = 0; k < num_out_; ++k) columns[k] = &values[k * num];
    inputs.resize(program_.graph.num_symbols());
    const double* from = stimulus;
    for (std::size_t k = 0; k < text_->stimulus.size(); ++k) {
      inputs[program_.given[k]] = {from, 1, 0};
      from += text_->stimulus[k].num();
    }
    from = all;
    for (std::size_t k = 0; k < text_->parameters.size(); ++k) {
      inputs[program_.given[text_->stimulus.size() + k]] = {from, 1, text_->num_parameters};
      from += text_->parameters[k].num();
    }
    kernel_->run(inputs, num, columns);
    for (std::size_t i = 0; i < num; ++i) {
      for (std::size_t k = 0; k < num_out_; ++k) out[i * num_out_ + k] = columns[k][i];
      check(stimulus, all + i * text_->num_parameters, out + i * num_out_);
    }
    kept = std::move(values);
  }

 private:
  void check(const double* stimulus, const double* p, const double* out) const {
    for (std::size_t k = 0; k < num_out_; ++k) {
      const double top = num_choices() > 0 ? 1 + 1e-12 : std::numeric_limits<double>::infinity();
      if (out[k] >= 0 && out[k] <= top && std::isfinite(out[k])) continue;
      std::string at;
      const auto tell = [&](const std::vector<std::string>& names, const double*& from) {
        for (const std::string& name : names) at += fmt::format("{}{} = {}", at.empty() ? "At " : ", ", name, number_text(*from++));
      };
      for (const TextStimulus& s : text_->stimulus) tell(number_names(s.name, s.shape), stimulus);
      for (const TextParameter& one : text_->parameters) tell(number_names(one.name, one.shape), p);
      throw SpecError(
          {"model.response", num_choices() > 0 ? "a probability, 0 to 1" : ">= 0 expected counts", number_text(out[k]), at + "."});
    }
  }

  std::shared_ptr<const EncodingText> text_;
  equations::Program program_;
  std::size_t num_out_ = 1;
  std::shared_ptr<const equations::Kernel> kernel_;
};

}  // namespace

const EncodingText* text_of(const Family& family) {
  const auto* of_text = dynamic_cast<const TextFamily*>(&family);
  return of_text ? &of_text->text() : nullptr;
}

bool has_tables(const EncodingText& text) {
  const TextResponse& first = text.responses[0];
  const bool even = std::none_of(text.parameters.begin(), text.parameters.end(),
                                 [](const TextParameter& parameter) { return parameter.prior.is_uneven(); });
  return even && text.responses.size() == 1 && text.num_states == 0 && !text.is_correlated() &&
         (first.law->form == LawForm::poisson || first.num_choices > 0);
}

std::unique_ptr<Family> make_family(std::shared_ptr<const EncodingText> text, const std::vector<std::size_t>& num_values) {
  if (!has_tables(*text))
    throw SpecError({"model.response", "one poisson count or choice, no state and no correlations, for tables",
                     "\"" + std::string(text->responses[0].law->name) + "\"", "Other texts take belief.kind = \"particles\"."});
  return std::make_unique<TextFamily>(std::move(text), num_values);
}

}  // namespace hartline::models
