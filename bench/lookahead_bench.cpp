// Look-ahead: the golden case of two trials on a line, and what it gains over one step where decisions have a deadline.
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/threads.hpp"
#include "bench/measure.hpp"
#include "design/sample_objective.hpp"
#include "io/toml.hpp"
#include "loop/experiment.hpp"
#include "loop/spec.hpp"
#include "models/text_grid.hpp"
#include "models/text_model.hpp"

namespace hartline::bench {

namespace {

using design::Choice;
using design::DesignSpec;

/// Processor time of the thread: a deadline by it does not depend on what else the machine does.
class ThreadClock final : public Clock {
 public:
  std::int64_t now_ns() const override { return static_cast<std::int64_t>(thread_ms() * 1e6); }
};

/// One source on a line at steps of .02, or in a box, under a standard normal prior by its density at 1,400 even steps.
struct Line {
  Line(bool box, Executor& executor) {
    Table variables, lines, priors;
    variables.set("x", box ? "box(-2.5, 2.5)" : "range(-2.5, 2.5, 0.02)");
    priors.set("theta", "uniform(-4.5, 4.5)");
    lines.set("response", "y ~ normal(log(0.1 + 1 / (1e-4 + (x - theta)^2)), 0.5)");
    lines.set("parameters", priors);
    constexpr std::size_t num = 1400;
    model = std::make_unique<models::TextGrid>(std::make_shared<const models::EncodingText>(variables, lines),
                                               std::vector<std::size_t>{num}, false, executor);
    belief = model->prior();
    auto& samples = dynamic_cast<models::SampleBelief&>(*belief);
    double total = 0;
    for (std::size_t n = 0; n < num; ++n)
      total += samples.weights[n] = std::exp(-0.5 * samples.parameters[n] * samples.parameters[n]);
    for (double& w : samples.weights) w /= total;
    set.dim = 1;
    set.low = {-2.5};
    set.high = {2.5};
    set.shape = design::SetKind::box;
    for (int k = -125; !box && k <= 125; ++k) set.pool.push_back(0.02 * k);
  }
  Choice choose(const design::LookaheadSpec& lookahead, Executor& executor, double& ms) const {
    DesignSpec spec;
    spec.lookahead = lookahead;
    const auto design = design::make_design(spec, set, model->capability(*belief), model->parameter_names, 1, executor);
    const auto plan = design->make_plan();
    Choice out;
    for (int warm = 0; warm < 2; ++warm) {
      const double begin = thread_ms();
      design->choose(*plan, model->capability(*belief), 0, {}, out);
      ms = thread_ms() - begin;
    }
    return out;
  }
  std::unique_ptr<models::TextModel> model;
  std::unique_ptr<models::Belief> belief;
  design::StimulusSet set;
};

void add_golden(Rows& rows) {
  const auto executor = make_serial_executor();
  const auto add = [&](const char* name, const Choice& c, double low, double high, double total, double ms) {
    const double at = std::abs(c.values[0]);
    const bool right = at >= low && at <= high, close = std::abs(c.total - total) <= 0.003;
    const std::string answer =
        fmt::format("|x1| in [{}, {}], total {} by fine quadrature; {:.3g} ms to choose", low, high, total, ms);
    rows.push_back(
        {name, "x1", c.values[0], "", "", {}, {}, fmt::format("|x1| in [{}, {}]", low, high), right, "", true, right, answer});
    rows.push_back(
        {name, "total_nats", c.total, "nats", "", {}, {}, fmt::format("within .003 of {}", total), close, "", true, close, answer});
  };
  const Line pool(false, *executor), box(true, *executor);
  double ms = 0;
  Choice c = pool.choose({2, 1, 48, 1400}, *executor, ms);  // one member is looked into: the one-step choice
  add("lookahead/greedy", c, 0, 0, 2.628, ms);
  c = pool.choose({2, 61, 48, 1400}, *executor, ms);
  add("lookahead/two_step", c, 0.4, 0.6, 2.757, ms);
  c = box.choose({2, 8, 48, 1400}, *executor, ms);
  add("lookahead/two_step in a box", c, 0.4, 0.6, 2.757, ms);
}

/// A text of the library and how it is met.
struct Problem {
  const char *name, *text, *belief;
  std::int64_t num_trials;
  design::LookaheadSpec lookahead;
};

/// What one experiment came to, nats.
struct Outcome {
  double expected = 0;   // Σ_t I(θ; r_t | history) of what was shown, under the belief
  double realised = 0;   // log p(history | truth) - log evidence
  double choose_ms = 0;  // in the mean
  std::vector<Choice> choices;
  // the first choice that was not that of one step, and how things stood before it
  std::int64_t first_ahead = -1;
  std::unique_ptr<models::Belief> before;
  double expected_before = 0, realised_before = 0;
};

class Duel {
 public:
  explicit Duel(const Problem& problem) : problem_(problem) {
    std::ifstream file(fmt::format("library/encoding/{}.toml", problem.text));
    std::stringstream text;
    text << fmt::format("format = 1\nseed = 1\nnum_trials = {}\n[belief]\n{}\n", problem.num_trials, problem.belief)
         << file.rdbuf();
    spec_ = loop::read_spec(io::parse_toml(text.str(), problem.text), problem.text);
    text_ = std::make_unique<const models::EncodingText>(spec_.stimulus.variables, spec_.model);
    first_ = loop::build(spec_, "", 1, *executor_);
  }

  /// One experiment, each choice with a deadline; or, of one step, from where `other` first chose otherwise, as until then both are
  /// the same, each choice with as many units as the other had done by its deadline: the clock's chance is the same for both.
  Outcome run(std::uint64_t seed, const DesignSpec& spec, double deadline_ms, const Outcome* other) const {
    // the tables of a grid are the same for all; particles are drawn anew
    const auto own = first_->grid() ? nullptr : loop::build(spec_, "", seed, *executor_);
    const loop::Experiment& e = own ? *own : *first_;
    const models::Model& model = *e.model;
    std::vector<double> truth(model.num_parameters);
    Stream of_truth(seed, Purpose::truth);
    text_->draw_prior(of_truth, truth);
    const auto belief = other ? other->before->fork() : model.prior();
    const auto design = design::make_design(spec, e.stimuli, model.capability(*belief), model.parameter_names, seed, *executor_);
    const auto plan = design->make_plan();
    const ThreadClock clock;
    Outcome out;
    models::Context context = model.start();
    Response response;
    response.kind = model.response_kind;
    response.num_cells = response.num_bins = 1;
    response.values.resize(1);
    std::int64_t first = 0;
    if (other) {
      out.expected = other->expected_before;
      out.realised = other->realised_before;
      for (; first < other->first_ahead; ++first) {
        const Choice& shown = other->choices[static_cast<std::size_t>(first)];
        design->follow(*plan, model.capability(*belief), shown.pool_index, shown.values, 0);
      }
    }
    for (std::int64_t t = first; t < problem_.num_trials; ++t) {
      const models::Capability view = model.capability(*belief);
      design::Budget budget;
      budget.num_trials = problem_.num_trials - t;
      const std::int64_t begun = clock.now_ns();
      if (other) {
        budget.max_units = other->choices[static_cast<std::size_t>(t)].units;
      } else {
        budget.clock = &clock;
        budget.deadline_ns = begun + static_cast<std::int64_t>(deadline_ms * 1e6);
      }
      Choice& choice = out.choices.emplace_back();
      design->choose(*plan, view, static_cast<std::uint64_t>(t), budget, choice);
      out.choose_ms += static_cast<double>(clock.now_ns() - begun) * 1e-6 / static_cast<double>(problem_.num_trials - first);
      if (choice.lead > 0 && out.first_ahead < 0) {
        out.first_ahead = t;
        out.before = belief->fork();
        out.expected_before = out.expected;
        out.realised_before = out.realised;
      }
      out.expected += information(e, view, choice);
      design->follow(*plan, view, choice.pool_index, choice.values, 0);
      Stream stream(seed, Purpose::response, static_cast<std::uint64_t>(t));
      model.sample(truth, choice.values, context, stream, response.values);
      out.realised += model.log_likelihood(truth, choice.values, response.values[0]);
      out.realised -= model.update(*belief, choice.values, response, 0).log_evidence;
      design->follow(*plan, model.capability(*belief), -1, {}, 0);
    }
    return out;
  }

 private:
  /// Of what was chosen, under all that is believed.
  double information(const loop::Experiment& e, const models::Capability& view, const Choice& choice) const {
    if (e.grid()) return choice.utility;  // the tables' own
    DesignSpec spec;
    spec.utility = "mutual_information";
    const design::SampleObjective objective(spec, e.stimuli, std::get<models::SampleView>(view), e.model->parameter_names);
    design::SampleObjective::Prepared prepared;
    design::SampleObjective::Scratch scratch;
    objective.prepare(view, prepared);
    return objective(prepared, choice.values, scratch, {}, nullptr);
  }

  Problem problem_;
  loop::Spec spec_;
  std::unique_ptr<Executor> executor_ = make_serial_executor();
  std::unique_ptr<loop::Experiment> first_;
  std::unique_ptr<const models::EncodingText> text_;
};

struct Mean {
  double mean = 0, error = 0;
};
Mean mean_of(const std::vector<double>& all) {
  Mean out;
  const auto num = static_cast<double>(all.size());
  for (const double x : all) out.mean += x / num;
  for (const double x : all) out.error += (x - out.mean) * (x - out.mean);
  out.error = std::sqrt(out.error / (num * (num - 1)));
  return out;
}

}  // namespace

Rows lookahead_rows(const std::string& problem_name, double deadline_ms, std::size_t num_experiments) {
  Rows rows;
  if (problem_name == "golden") {
    add_golden(rows);
    return rows;
  }
  const Problem problems[] = {
      {"discounting", "hyperbolic_discounting", "num_values_of = { k = 160, a = 40 }\ntables = \"single\"", 20, {2, 8, 32, 512}},
      {"location", "location_finding", "kind = \"particles\"", 10, {2, 6, 16, 1024}}};
  const Problem* problem = nullptr;
  for (const Problem& one : problems)
    if (problem_name == one.name) problem = &one;
  if (!problem) throw std::runtime_error("no problem called " + problem_name);
  const Duel duel(*problem);
  DesignSpec one_step, ahead;
  one_step.utility = ahead.utility = "mutual_information";
  ahead.lookahead = problem->lookahead;
  std::vector<double> expected(num_experiments), realised(num_experiments), level(num_experiments), ms(num_experiments),
      others(num_experiments);
  const auto two = make_executor(2);
  two->for_each_block(static_cast<int>(num_experiments), [&](int k) {
    const auto i = static_cast<std::size_t>(k);
    const Outcome a = duel.run(i + 1, ahead, deadline_ms, nullptr);
    ms[i] = a.choose_ms;
    for (const Choice& choice : a.choices) others[i] += choice.lead > 0;
    level[i] = a.expected;
    if (!a.before) return;  // one step at a time is the same
    const Outcome b = duel.run(i + 1, one_step, deadline_ms, &a);
    level[i] = b.expected;
    expected[i] = a.expected - b.expected;
    realised[i] = a.realised - b.realised;
  });
  const Mean gain = mean_of(expected), raw = mean_of(realised), one = mean_of(level);
  const double bound = gain.mean - 2.326 * gain.error;
  const bool ok = bound > -0.02;
  // both tell the same mean; a difference of more than four errors would be a wrong belief
  const bool right = std::abs(gain.mean - raw.mean) < 4 * raw.error + 0.02;
  const auto num_differ = std::count_if(others.begin(), others.end(), [](double num) { return num > 0; });
  const std::string answer = fmt::format(
      "T = {}, {} paired experiments, of which {} differ, {:.2f} choices of an experiment; 99 % lower bound {:.4f}; by evidence "
      "{:.3f} ± "
      "{:.3f}; {:.2g} ms to choose",
      problem->num_trials, num_experiments, num_differ, mean_of(others).mean, bound, raw.mean, raw.error, mean_of(ms).mean);
  rows.push_back({fmt::format("lookahead/{}", problem_name),
                  fmt::format("gain at {:g} ms", deadline_ms),
                  gain.mean,
                  fmt::format("nats ± {:.4f}", gain.error),
                  "one step",
                  one.mean,
                  {},
                  "99 % lower bound > -.02",
                  ok,
                  "",
                  true,
                  right,
                  answer});
  return rows;
}

}  // namespace hartline::bench
