// One trial on a grid of 40,000 nodes and 120 designs, with the history of bench/peers/grid_peers.py.
#include <fmt/format.h>

#include "base/threads.hpp"
#include "bench/measure.hpp"
#include "design/design.hpp"
#include "models/encoding_text.hpp"
#include "models/grid.hpp"

namespace hartline::bench {

namespace {

models::Axis axis(const nlohmann::json& grid) { return {grid.at("first"), grid.at("last"), grid.at("num"), "linear", {}}; }

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// The same psychometric function written as text, with the same values.
std::unique_ptr<models::Family> as_text(const nlohmann::json& document) {
  const auto listed = [&](const char* name) {
    std::vector<std::string> numbers;
    for (const double value : axis(document.at("grids").at(name)).points(name)) numbers.push_back(fmt::format("{:.17g}", value));
    return fmt::format("values({})", fmt::join(numbers, ", "));
  };
  Table stimulus, model, parameters;
  stimulus.set("x", listed("design"));
  parameters.set("threshold", listed("threshold"));
  parameters.set("slope", listed("slope"));
  const double guess = document.at("guess"), lapse = document.at("lapse");
  model.set("response", fmt::format("r ~ bernoulli({:.17g} - {:.17g} * exp(-10^(slope * (x - threshold) / 20)))", 1 - lapse,
                                    1 - guess - lapse));
  model.set("parameters", parameters);
  return models::make_family(std::make_shared<const models::EncodingText>(stimulus, model), {1, 1});
}

/// Model, design and belief at the start.
struct Grid {
  Grid(const nlohmann::json& document, bool text, bool single = false) : executor(make_serial_executor()) {
    models::PsychometricSpec spec;
    spec.threshold = axis(document.at("grids").at("threshold"));
    spec.slope = axis(document.at("grids").at("slope"));
    spec.guess.values = {document.at("guess")};
    spec.lapse.values = {document.at("lapse")};
    set.dim = 1;
    set.pool = axis(document.at("grids").at("design")).points("design");
    model = std::make_unique<models::GridModel>(text ? as_text(document) : models::make_family(spec), set.pool, *executor,
                                                std::size_t{8} << 30, single);
    design::DesignSpec infomax;
    infomax.utility = "mutual_information";
    belief = model->prior();
    design = design::make_design(infomax, set, model->capability(*belief), model->parameter_names, 1, *executor);
    plan = design->make_plan();
    response.kind = ResponseKind::choice;
  }

  void choose() { design->choose(*plan, model->capability(*belief), trial, {}, choice); }

  void update(std::size_t shown, double correct) {
    response.values.assign(1, correct);
    model->update(*belief, {&set.pool[shown], 1}, response, 0);
    design->follow(*plan, model->capability(*belief), static_cast<std::int64_t>(shown), {&set.pool[shown], 1}, 0);
    ++trial;
  }

  std::vector<double> utilities() { return design->utilities(*plan, model->capability(*belief)); }

  std::unique_ptr<Executor> executor;
  design::StimulusSet set;
  std::unique_ptr<models::GridModel> model;
  std::unique_ptr<design::Design> design;
  std::unique_ptr<design::Plan> plan;
  std::unique_ptr<models::Belief> belief;
  design::Choice choice;
  Response response;
  std::uint64_t trial = 0;
};

/// What came of playing the history.
struct Played {
  std::vector<double> times_ms;
  std::vector<double> first, last;             // utilities of all designs
  std::vector<std::vector<double>> utilities;  // at every trial
  std::vector<std::size_t> choices;
};

Played play(const nlohmann::json& document, bool text, bool keep_utilities, bool single = false) {
  Grid grid(document, text, single);
  Played out;
  const auto shown = document.at("direct").at("shown_idx").get<std::vector<std::size_t>>();
  const auto correct = document.at("direct").at("correct").get<std::vector<double>>();
  out.first = grid.utilities();
  for (std::size_t t = 0; t < shown.size(); ++t) {
    if (keep_utilities) out.utilities.push_back(grid.utilities());
    const double begin = thread_ms();
    grid.choose();
    grid.update(shown[t], correct[t]);
    out.times_ms.push_back(thread_ms() - begin);
    out.choices.push_back(static_cast<std::size_t>(grid.choice.pool_index));
  }
  out.last = grid.utilities();
  return out;
}

/// Number of trials on which the other choice is worse than ours by more than a tie, or ours than the other's.
std::size_t num_disagreements(const Played& played, const std::vector<std::size_t>& other, double tie) {
  std::size_t count = 0;
  for (std::size_t t = 0; t < other.size(); ++t)
    if (std::abs(played.utilities[t][played.choices[t]] - played.utilities[t][other[t]]) > tie) ++count;
  return count;
}

}  // namespace

Rows grid_rows(const nlohmann::json& document, bool text) {
  const Played checked = play(document, text, true);
  std::vector<double> times_ms = play(document, text, false).times_ms;
  const auto& direct = document.at("direct");
  const double direct_error = std::max(largest_difference(checked.first, direct.at("utility_first_trial")),
                                       largest_difference(checked.last, direct.at("utility_after_last_trial")));
  const std::size_t direct_disagreements = num_disagreements(checked, direct.at("shown_idx"), 1e-10);

  // the first trial: flat prior, nothing can be passed over
  Grid grid(document, text);
  const auto prior = grid.belief->fork();
  std::vector<double> first_ms, choose_ms;
  for (int k = 0; k < 15; ++k) {
    grid.belief = prior->fork();
    const double begin = thread_ms();
    grid.choose();
    const double chosen = thread_ms();
    grid.update(direct.at("shown_idx")[0], direct.at("correct")[0]);
    first_ms.push_back(thread_ms() - begin);
    choose_ms.push_back(chosen - begin);
  }

  Rows rows;
  for (const auto& peer : document.at("peers")) {
    const double tolerance = peer.at("utility_tolerance");
    const double error = std::max(largest_difference(checked.first, peer.at("utility_first_trial")),
                                  largest_difference(checked.last, peer.at("utility_after_last_trial")));
    const std::size_t disagreements = num_disagreements(checked, peer.at("choices"), 2 * tolerance);
    const bool right = error <= tolerance && disagreements == 0 && direct_error <= 1e-10 && direct_disagreements == 0;
    const std::string name = fmt::format("{}/{}", text ? "any_model" : "grid", peer.at("peer").get<std::string>());
    const std::string label = fmt::format("{} {}", peer.at("peer").get<std::string>(), peer.at("version").get<std::string>());
    const std::string answer =
        fmt::format("utilities differ by {:.1e}, from the direct computation by {:.1e}; {} of {} choices differ", error,
                    direct_error, disagreements, checked.choices.size());
    const auto row = [&](const char* metric, double value, double other, const char* aim) {
      Row out{name, metric, value, "ms", label, other, other / value, "", true, aim, true, right, answer};
      if (*aim) out.aim_met = *out.ratio >= 20;
      rows.push_back(out);
    };
    row("update_choose_p50", median(times_ms), peer.at("median_ms"), "ratio >= 20");
    row("update_choose_p99", quantile(times_ms, 0.99), peer.at("p99_ms"), "");
    row("first_trial_p50", median(first_ms), peer.at("median_ms"), "");
  }

  if (text) {
    const Played coarse = play(document, text, true, true);
    const std::vector<double> coarse_ms = play(document, text, false, true).times_ms;
    const double off = std::max(largest_difference(checked.first, coarse.first), largest_difference(checked.last, coarse.last));
    const std::size_t differ = num_disagreements(checked, coarse.choices, 2e-6);
    const double ours = median(coarse_ms), other = median(times_ms);
    rows.push_back({"any_model/single tables", "update_choose_p50", ours, "ms", "double tables", other, other / ours, "", true, "",
                    true, off < 1e-6 && differ == 0, fmt::format("utilities differ by {:.1e}; {} choices differ", off, differ)});
  }
  const double bytes = static_cast<double>(grid.model->table_bytes());
  const double ours = bytes / median(choose_ms) * 1e-6;
  const double same_size = read_bandwidth(grid.model->table_bytes()), from_memory = read_bandwidth(std::size_t{512} << 20);
  rows.push_back({text ? "any_model/bandwidth" : "grid/bandwidth", "choose_first_trial", ours, "GB/s",
                  "best plain read of as many bytes", same_size, ours / same_size, "", true, "", true, true,
                  fmt::format("{:.1f} MB of tables; plain read of 512 MB {:.1f} GB/s, triad of 512 MB {:.1f} GB/s", bytes * 1e-6,
                              from_memory, triad_bandwidth(std::size_t{512} << 20))});
  return rows;
}

}  // namespace hartline::bench
