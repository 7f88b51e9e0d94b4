// hartline.loop: networks trained by evolution strategies, as plain functions of bytes and numbers that a map can call.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "base/error.hpp"
#include "bind_spec.hpp"
#include "convert.hpp"
#include "design/evolution.hpp"
#include "handles.hpp"
#include "loop/training.hpp"
#include "turn.hpp"

using namespace nanobind::literals;

namespace hartline::python {

namespace {

std::string_view view(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

nb::bytes bytes_of(const models::TrainedNetwork& network) {
  const std::string bytes = loop::to_bytes(network);
  return nb::bytes(bytes.data(), bytes.size());
}

/// The method of a training that goes by pairs.
design::Evolution& evolution(loop::Training& training) {
  auto* method = dynamic_cast<design::Evolution*>(&training.ascent());
  if (!method)
    throw SpecError({"train.method", "evolution", "\"" + training.spec().method + "\"", "Only neighbours can be tried apart."});
  if (training.finished()) throw SpecError({"network", "a training that is not finished", "a finished one", ""});
  return *method;
}

nb::bytes begin_training(nb::object document, const std::string& file, const std::string& folder) {
  loop::Training training(table_from(document), file, folder, *executor_of(1));
  return bytes_of(training.network());
}

std::vector<std::pair<double, double>> pair_fitness(const nb::bytes& network, const std::vector<std::int64_t>& pairs, int threads) {
  const auto executor = executor_of(threads);
  std::vector<std::pair<double, double>> out(pairs.size());
  const std::string bytes(view(network));
  compute([&] {
    loop::Training training(loop::network_from(bytes, "network"), *executor);
    const design::Evolution& method = evolution(training);
    for (const std::int64_t pair : pairs)
      if (pair < 0 || pair >= training.spec().num_pairs)
        throw SpecError({"pairs", "0 … " + std::to_string(training.spec().num_pairs - 1), std::to_string(pair), ""});
    const auto step = static_cast<std::uint64_t>(training.network().num_steps) + 1;
    executor->for_each_block(static_cast<int>(pairs.size()), [&](int k) {
      const auto i = static_cast<std::size_t>(k);
      const design::PairFitness f = method.fitness(training.network().weights, step, static_cast<std::size_t>(pairs[i]));
      out[i] = {f.plus, f.minus};
    });
  });
  return out;
}

nb::bytes take_step(const nb::bytes& network, const std::vector<std::pair<double, double>>& fitness) {
  loop::Training training(loop::network_from(view(network), "network"), *executor_of(1));
  const design::Evolution& method = evolution(training);
  if (static_cast<std::int64_t>(fitness.size()) != training.spec().num_pairs)
    throw SpecError(
        {"fitness", std::to_string(training.spec().num_pairs) + " pairs, in order", std::to_string(fitness.size()), ""});
  std::vector<design::PairFitness> pairs;
  for (const auto& [plus, minus] : fitness) pairs.push_back({plus, minus});
  std::vector<double> gradient(training.network().weights.size());
  const double score = method.combine(static_cast<std::uint64_t>(training.network().num_steps) + 1, pairs, gradient);
  training.take(gradient, score);
  return bytes_of(training.network());
}

nb::object training_info(const nb::bytes& network) {
  const loop::NetworkOfFile file = loop::network_from(view(network), "network");
  const models::TrainedNetwork& n = *file.network;
  design::TrainSpec spec;
  read_table(n.train, {"train", ""}, spec);
  Table out;
  out.set("target", n.target);
  out.set("method", spec.method);
  out.set("num_steps", n.num_steps);
  out.set("all_steps", spec.num_steps);
  out.set("num_pairs", spec.num_pairs);
  out.set("num_weights", static_cast<std::int64_t>(n.weights.size()));
  out.set("finished", n.finished);
  out.set("score", n.curve.empty() ? Value() : Value(n.curve.back()));
  out.set("curve_steps", numbers(n.curve_steps));
  out.set("curve", numbers(n.curve));
  out.set("hash", file.hash);
  return object_from(out);
}

}  // namespace

void bind_training(nb::module_& m) {
  bind_spec<design::TrainSpec>(m, "TrainSpec", "How a network is trained: the ``train`` table.",
                               "num_steps=500, learning_rate=0.01");
  m.def(
      "begin_training", &begin_training, "document"_a, "file"_a = "", "folder"_a = "",
      R"doc(The network of an experiment before its first step, as bytes: what ``hartline train`` writes, with the model's text in it.

>>> import hartline as hl
>>> document = {"format": 1, "seed": 1, "num_trials": 3, "stimulus": {"x": "box(-1, 1)"},
...             "model": {"response": "r ~ normal(w * x, 0.5)", "parameters": {"w": "normal(0, 1)"}},
...             "train": {"num_steps": 2, "num_pairs": 2, "num_rollouts": 4, "num_contrasts": 20, "encoder": [4], "readout": [4]}}
>>> network = hl.loop.begin_training(document)
>>> while not hl.loop.training_info(network)["finished"]:
...     network = hl.loop.take_step(network, hl.loop.pair_fitness(network, pairs=[0, 1]))
>>> hl.loop.training_info(network)["num_steps"]
2
)doc");
  m.def(
      "pair_fitness", &pair_fitness, "network"_a, "pairs"_a, "threads"_a = 1,
      R"doc(Mean scores, nats, of the neighbours w + e and w - e of the network's next step, for these of its pairs. The same bytes give the
same numbers, whoever asks.

>>> import hartline as hl
>>> network = hl.loop.begin_training({"format": 1, "seed": 1, "num_trials": 2, "stimulus": {"x": "box(-1, 1)"},
...     "model": {"response": "r ~ normal(w * x, 0.5)", "parameters": {"w": "normal(0, 1)"}},
...     "train": {"num_steps": 1, "num_pairs": 2, "num_rollouts": 4, "num_contrasts": 20, "encoder": [4], "readout": [4]}})
>>> len(hl.loop.pair_fitness(network, pairs=[0, 1]))
2
)doc");
  m.def("take_step", &take_step, "network"_a, "fitness"_a,
        R"doc(The network after the step whose pairs, all in order, had these scores.

>>> import hartline as hl
>>> network = hl.loop.begin_training({"format": 1, "seed": 1, "num_trials": 2, "stimulus": {"x": "box(-1, 1)"},
...     "model": {"response": "r ~ normal(w * x, 0.5)", "parameters": {"w": "normal(0, 1)"}},
...     "train": {"num_steps": 1, "num_pairs": 1, "num_rollouts": 4, "num_contrasts": 20, "encoder": [4], "readout": [4]}})
>>> after = hl.loop.take_step(network, [(0.5, 0.1)])
>>> after == network
False
)doc");
  m.def("training_info", &training_info, "network"_a, nb::sig("def training_info(network: bytes) -> dict[str, Any]"),
        R"doc(How far a training has come, as a dict.

>>> import hartline as hl
>>> network = hl.loop.begin_training({"format": 1, "seed": 1, "num_trials": 2, "stimulus": {"x": "box(-1, 1)"},
...     "model": {"response": "r ~ normal(w * x, 0.5)", "parameters": {"w": "normal(0, 1)"}},
...     "train": {"num_steps": 1, "num_pairs": 1, "num_rollouts": 4, "num_contrasts": 20, "encoder": [4], "readout": [4]}})
>>> hl.loop.training_info(network)["finished"]
False
)doc");
}

}  // namespace hartline::python
