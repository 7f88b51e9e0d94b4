#include "models/history_derivatives.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "equations/differentiate.hpp"

namespace hartline::models {

namespace {

using equations::Graph;
using equations::Id;

std::size_t num_pairs(std::size_t n) { return n * (n + 1) / 2; }

/// log p of a response, also of a choice, of which `r` is the number.
Id log_probability(Graph& g, const TextResponse& about, const equations::ResponseLine& line) {
  const Id r = g.symbol_value(line.symbol);
  if (about.num_choices == 0) return log_density(g, *about.law, line.arguments, r);
  Id out = g.apply(equations::Op::log, line.arguments.back());
  for (std::size_t k = line.arguments.size() - 1; k-- > 0;)
    out = g.where(g.apply(equations::Op::equal, r, g.constant(static_cast<double>(k))),
                  g.apply(equations::Op::log, line.arguments[k]), out);
  return out;
}

}  // namespace

/// States with their derivatives by the parameters, and what has been added up.
struct HistoryDerivatives::Work {
  std::size_t d = 0, num_states = 0;
  std::span<const double> parameters;
  std::span<double> gradient, hessian;  // [d], [d, d] below the diagonal and on it
  double value = 0;
  std::vector<double> states, first, second;  // [num_states], [num_states, d], [num_states, d, d]
  std::vector<double> next, next_first, next_second;
  std::vector<double> values, rows, arguments;
  std::vector<double*> columns;
  std::vector<equations::Input> inputs;
  TailNodes nodes;

  std::size_t num_variables() const { return d + num_states; }
  std::size_t num_outputs() const { return 1 + num_variables() + num_pairs(num_variables()); }

  /// Runs a kernel of several values with their derivatives over lanes: values [num_values · num_outputs, num].
  void run(const equations::Kernel& kernel, std::size_t num_values, std::size_t num) {
    values.resize(num_values * num_outputs() * num);
    columns.resize(num_values * num_outputs());
    for (std::size_t k = 0; k < columns.size(); ++k) columns[k] = &values[k * num];
    kernel.run(inputs, num, columns);
  }

  /// Adds derivatives by parameters and states, weighted, as those by the parameters alone. `by` [num_outputs - 1, stride].
  void chain(const double* by, std::size_t stride, double weight, double* to_first, double* to_second) const {
    const std::size_t n = num_variables();
    const double* pairs = by + n * stride;
    const auto of_pair = [&](std::size_t a, std::size_t b) {
      return pairs[(a >= b ? num_pairs(a) + b : num_pairs(b) + a) * stride];
    };
    for (std::size_t i = 0; i < d; ++i) to_first[i] += weight * by[i * stride];
    for (std::size_t a = 0; a < num_states; ++a) {
      const double slope = weight * by[(d + a) * stride];
      for (std::size_t i = 0; i < d; ++i) to_first[i] += slope * first[a * d + i];
      for (std::size_t i = 0; i < d * d; ++i) to_second[i] += slope * second[a * d * d + i];
    }
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        double h = of_pair(i, j);
        for (std::size_t a = 0; a < num_states; ++a) {
          h += of_pair(d + a, i) * first[a * d + j] + of_pair(d + a, j) * first[a * d + i];
          for (std::size_t b = 0; b < num_states; ++b) h += of_pair(d + a, d + b) * first[a * d + i] * first[b * d + j];
        }
        to_second[i * d + j] += weight * h;
      }
  }
};

HistoryDerivatives::HistoryDerivatives(const TextLikelihood& likelihood) : likelihood_(likelihood) {
  const EncodingText& text = likelihood.text();
  equations::Program program = text.program;
  Graph& g = program.graph;
  std::vector<equations::Variable> variables;
  for (std::size_t k = 0; k < text.parameters.size(); ++k)
    for (std::size_t j = 0; j < text.parameters[k].num(); ++j) variables.push_back({program.given[text.stimulus.size() + k], j});
  for (const equations::State& state : program.states) {
    variables.push_back({state.symbol, 0});
    states_.push_back(state.symbol);
  }
  num_variables_ = variables.size();
  given_ = program.given;
  for (std::size_t j = 0; j < program.responses.size(); ++j) {
    answered_.push_back(program.responses[j].symbol);
    lost_.push_back(g.add_symbol({"", {}, {}, ""}));
  }
  // a value, and its derivatives
  const auto add = [&](Id value, std::vector<Id>& outputs) {
    outputs.push_back(value);
    const std::vector<Id> gradient = equations::gradient(g, value, variables);
    outputs.insert(outputs.end(), gradient.begin(), gradient.end());
    for (std::size_t k = 0; k < variables.size(); ++k) {
      const std::vector<Id> row = equations::gradient(g, gradient[k], variables);
      outputs.insert(outputs.end(), row.begin(), row.begin() + static_cast<std::ptrdiff_t>(k) + 1);
    }
  };
  std::vector<std::vector<Id>> densities;
  for (std::size_t j = 0; j < program.responses.size(); ++j)
    add(log_probability(g, text.responses[j], program.responses[j]), densities.emplace_back());
  std::vector<Id> start, next;
  std::unordered_map<Id, Id> done;
  const auto or_expected = [&](const equations::Node& node, Id) {
    for (std::size_t j = 0; j < answered_.size() && node.op == equations::Op::symbol; ++j)
      if (node.symbol == answered_[j])
        return g.where(g.apply(equations::Op::less, g.constant(0.5), g.symbol_value(lost_[j])),
                       expected_value(g, *text.laws[j].law, program.responses[j].arguments), g.symbol_value(answered_[j]));
    return g.remake(node);
  };
  for (const equations::State& state : program.states) {
    add(state.start, start);
    add(equations::rewrite(g, state.next, done, or_expected), next);
  }
  num_symbols_ = g.num_symbols();
  std::vector<bool> varies(num_symbols_, false);
  if (states_.empty())  // trials beside each other
    for (std::size_t k = 0; k < text.stimulus.size(); ++k) varies[program.given[k]] = true;
  for (const std::uint32_t symbol : answered_) varies[symbol] = true;
  for (const std::vector<Id>& outputs : densities) density_.push_back(equations::make_kernel(g, outputs, varies));
  if (states_.empty()) return;
  varies.assign(num_symbols_, false);
  start_ = equations::make_kernel(g, start, varies);
  next_ = equations::make_kernel(g, next, varies);
}

void HistoryDerivatives::set_inputs(Work& work, const double* stimulus, std::size_t lane_stride) const {
  const EncodingText& text = likelihood_.text();
  work.inputs.assign(num_symbols_, {});
  for (std::size_t k = 0; k < text.stimulus.size() && stimulus; ++k) {
    work.inputs[given_[k]] = {stimulus, 1, lane_stride};
    stimulus += text.stimulus[k].num();
  }
  const double* from = work.parameters.data();
  for (std::size_t k = 0; k < text.parameters.size(); ++k) {
    work.inputs[given_[text.stimulus.size() + k]] = {from, 1, 0};
    from += text.parameters[k].num();
  }
  for (std::size_t k = 0; k < states_.size(); ++k) work.inputs[states_[k]] = {&work.states[k], 1, 0};
}

/// One response of every trial, where there are no states.
void HistoryDerivatives::add_alike(const TextHistory& history, std::size_t j, Work& work) const {
  const std::size_t dim = likelihood_.text().stimulus_dim, num_responses = likelihood_.num_responses();
  const TextLaw& law = *likelihood_.text().laws[j].law;
  thread_local std::vector<double> stimuli, responses;
  stimuli.clear();
  responses.clear();
  for (std::size_t t = 0; t < history.num; ++t) {
    const Datum& r = history.responses[t * num_responses + j];
    if (std::isnan(r.value)) continue;
    const double* x = &history.stimuli[t * dim];
    if (r.censored || law.form == LawForm::censored) {
      add_one(j, x, r, work);
      continue;
    }
    stimuli.insert(stimuli.end(), x, x + dim);
    responses.push_back(r.value);
  }
  const std::size_t num = responses.size();
  if (num == 0) return;
  set_inputs(work, stimuli.data(), dim);
  work.inputs[answered_[j]] = {responses.data(), 1, 1};
  work.run(*density_[j], 1, num);
  std::vector<double> sums(work.num_outputs());
  for (std::size_t k = 0; k < sums.size(); ++k)
    for (std::size_t t = 0; t < num; ++t) sums[k] += work.values[k * num + t];
  work.value += sums[0];
  work.chain(&sums[1], 1, 1, work.gradient.data(), work.hessian.data());
}

/// One response of one trial.
void HistoryDerivatives::add_one(std::size_t j, const double* stimulus, Datum response, Work& work) const {
  const EncodingText& text = likelihood_.text();
  const LawPart& part = text.laws[j];
  double r = response.value;
  bool is_tail = response.censored;
  Side side = Side::from;
  std::span<const double> own;
  if (is_tail || part.law->form == LawForm::censored) {
    work.rows.assign(work.parameters.begin(), work.parameters.end());
    work.rows.insert(work.rows.end(), work.states.begin(), work.states.end());
    work.arguments.resize(likelihood_.num_arguments());
    likelihood_.arguments({stimulus, text.stimulus_dim}, {work.rows.data(), 1, 1}, work.arguments.data(), 1);
    own = part.of(work.arguments);
    if (part.law->form == LawForm::censored && !is_tail) {
      const double low = own[own.size() - 2], high = own.back();
      is_tail = r <= low || r >= high;
      side = r <= low ? Side::up_to : Side::from;
      if (is_tail) r = r <= low ? low : high;
    }
  }
  // a stimulus varies from lane to lane where there are no states
  const std::size_t lane_stride = states_.empty() ? text.stimulus_dim : 0;
  if (!is_tail) {
    set_inputs(work, stimulus, lane_stride);
    work.inputs[answered_[j]] = {&r, 1, 1};
    work.run(*density_[j], 1, 1);
    work.value += work.values[0];
    return work.chain(&work.values[1], 1, 1, work.gradient.data(), work.hessian.data());
  }
  // log Σ_k w_k p(r_k): means of the first derivatives, and of the second with the products of the first
  TailNodes& nodes = work.nodes;
  nodes.r.clear();
  nodes.log_weight.clear();
  if (part.law->kind == ResponseKind::choice) {
    for (std::size_t k = 0; k < own.size(); ++k)
      if (static_cast<double>(k) >= r) nodes.r.push_back(static_cast<double>(k));
    nodes.log_weight.assign(nodes.r.size(), 0);
  } else {
    tail_nodes(*part.law, own, r, side, nodes);
  }
  const std::size_t num = nodes.r.size(), d = work.d;
  if (num == 0) {
    work.value = -INFINITY;
    return;
  }
  std::vector<double> repeated;
  for (std::size_t k = 0; k < num && lane_stride > 0; ++k) repeated.insert(repeated.end(), stimulus, stimulus + lane_stride);
  set_inputs(work, lane_stride > 0 ? repeated.data() : stimulus, lane_stride);
  work.inputs[answered_[j]] = {nodes.r.data(), 1, 1};
  work.run(*density_[j], 1, num);
  double top = -INFINITY, total = 0;
  for (std::size_t k = 0; k < num; ++k) top = std::max(top, nodes.log_weight[k] += work.values[k]);
  for (double& w : nodes.log_weight) total += w = std::exp(w - top);
  work.value += top + std::log(total);
  std::vector<double> mean(d), one(d), unused(d * d), products(d * d);
  for (std::size_t k = 0; k < num; ++k) {
    const double share = nodes.log_weight[k] / total;
    if (!(share > 0)) continue;
    std::fill(one.begin(), one.end(), 0.0);
    work.chain(&work.values[num + k], num, 1, one.data(), unused.data());
    std::fill(unused.begin(), unused.end(), 0.0);
    work.chain(&work.values[num + k], num, share, mean.data(), work.hessian.data());
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t l = 0; l <= i; ++l) products[i * d + l] += share * one[i] * one[l];
  }
  for (std::size_t i = 0; i < d; ++i) {
    work.gradient[i] += mean[i];
    for (std::size_t l = 0; l <= i; ++l) work.hessian[i * d + l] += products[i * d + l] - mean[i] * mean[l];
  }
}

/// Moves the states on, or starts them, with their derivatives.
void HistoryDerivatives::carry(const equations::Kernel& kernel, const double* stimulus, std::span<const Datum> answers,
                               Work& work) const {
  const std::size_t d = work.d;
  set_inputs(work, stimulus, 0);
  std::vector<double> lost(answers.size());
  for (std::size_t j = 0; j < answers.size(); ++j) {
    lost[j] = std::isnan(answers[j].value);
    work.inputs[answered_[j]] = {&answers[j].value, 1, 0};
    work.inputs[lost_[j]] = {&lost[j], 1, 0};
  }
  work.run(kernel, work.num_states, 1);
  work.next.assign(work.num_states, 0.0);
  work.next_first.assign(work.num_states * d, 0.0);
  work.next_second.assign(work.num_states * d * d, 0.0);
  for (std::size_t a = 0; a < work.num_states; ++a) {
    const double* of_state = &work.values[a * work.num_outputs()];
    work.next[a] = of_state[0];
    work.chain(of_state + 1, 1, 1, &work.next_first[a * d], &work.next_second[a * d * d]);
  }
  std::swap(work.states, work.next);
  std::swap(work.first, work.next_first);
  std::swap(work.second, work.next_second);
}

double HistoryDerivatives::operator()(const TextHistory& history, std::span<const double> parameters, std::span<double> gradient,
                                      std::span<double> hessian) const {
  thread_local Work work;
  const std::size_t d = parameters.size(), num_responses = likelihood_.num_responses(), dim = likelihood_.text().stimulus_dim;
  work.d = d;
  work.num_states = states_.size();
  work.parameters = parameters;
  work.gradient = gradient;
  work.hessian = hessian;
  work.value = 0;
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::fill(hessian.begin(), hessian.end(), 0.0);
  work.states.assign(work.num_states, 0.0);
  work.first.assign(work.num_states * d, 0.0);
  work.second.assign(work.num_states * d * d, 0.0);
  if (states_.empty()) {
    for (std::size_t j = 0; j < num_responses; ++j) add_alike(history, j, work);
  } else {
    carry(*start_, nullptr, {}, work);
    for (std::size_t t = 0; t < history.num; ++t) {
      const double* x = &history.stimuli[t * dim];
      for (std::size_t j = 0; j < num_responses; ++j)
        if (const Datum& r = history.responses[t * num_responses + j]; !std::isnan(r.value)) add_one(j, x, r, work);
      carry(*next_, x, {&history.answers[t * num_responses], num_responses}, work);
    }
  }
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < i; ++j) hessian[j * d + i] = hessian[i * d + j];
  return work.value;
}

}  // namespace hartline::models
