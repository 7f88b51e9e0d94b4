// The tables of a network: groups of neurons, the synapses between them, and how time goes on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/describe.hpp"

namespace hartline::dynamics {

/// A table of `neurons`: `num` neurons with the same equations.
struct NeuronsSpec {
  std::int64_t num = 1;
  Table equations;
  Table parameters;
  Table start;
  std::vector<std::string> own;
  std::string method = "auto";
  double tolerance = 1e-6;
  std::string threshold;
  std::vector<std::string> reset;
  std::string refractory;
  std::vector<std::string> held;
  Table events;
  std::vector<double> spike_times_ms;
  std::vector<std::int64_t> spike_neurons;

  template <class Field>
  static void describe(Field&& field) {
    field("num", &NeuronsSpec::num, "", between(1, 1e8), "neurons of the group");
    field("equations", &NeuronsSpec::equations, "", any(),
          "dv/dt = \"… : mV\" for each variable, with its unit; and values with a name, worked out from others");
    field("parameters", &NeuronsSpec::parameters, "", any(),
          "what can be changed between steps, with its start: g = \"10 nS\", the same for all; with i, random or randn each neuron "
          "has its own");
    field("start", &NeuronsSpec::start, "", any(), "of each variable, made of parameters, other starts, i, random and randn");
    field("own", &NeuronsSpec::own, "", any(), "parameters of which each neuron has its own, though they start alike");
    field("method", &NeuronsSpec::method, "",
          one_of({"auto", "exact", "exponential_euler", "euler", "heun", "rk2", "rk4", "milstein", "rodas4"}),
          "how the equations are integrated; auto: what they call for");
    field("tolerance", &NeuronsSpec::tolerance, "", between(1e-12, 0.1),
          "of rodas4: error of a step within a step, of a variable's size or of 1 of its unit, whichever is more");
    field("threshold", &NeuronsSpec::threshold, "", any(), "condition for a spike; absent: none");
    field("reset", &NeuronsSpec::reset, "", any(), "what a spike changes, in order: v = El, w += b");
    field("refractory", &NeuronsSpec::refractory, "", any(),
          "time after a spike without another, or a condition that lasts as long");
    field("held", &NeuronsSpec::held, "", any(), "variables that stand still while refractory");
    field("spike_times_ms", &NeuronsSpec::spike_times_ms, "ms", non_negative(),
          "spikes that are given, in the place of a threshold");
    field("spike_neurons", &NeuronsSpec::spike_neurons, "", at_least(0), "the neuron of each of them");
    field("events", &NeuronsSpec::events, "", any(), "name = { when = condition, change = [ … ] }, besides spikes");
  }
};

/// A table of `neurons.NAME.events`.
struct EventSpec {
  std::string when;
  std::vector<std::string> change;

  template <class Field>
  static void describe(Field&& field) {
    field("when", &EventSpec::when, "", required(), "condition, looked at after every step");
    field("change", &EventSpec::change, "", any(), "what changes, in order");
  }
};

/// Where synapses are. Exactly one of the rules.
struct ConnectSpec {
  std::string probability;
  std::string condition;
  std::int64_t fixed_in = 0;
  std::int64_t fixed_out = 0;
  bool one_to_one = false;
  std::vector<std::int64_t> from;
  std::vector<std::int64_t> to;
  bool to_itself = true;

  template <class Field>
  static void describe(Field&& field) {
    field("probability", &ConnectSpec::probability, "", any(), "of each pair, made of i, j and parameters: exp(-abs(i - j) / 50)");
    field("condition", &ConnectSpec::condition, "", any(), "pairs for which it holds; with a probability, only these are drawn");
    field("fixed_in", &ConnectSpec::fixed_in, "", at_least(0), "synapses of each target, from sources that are drawn");
    field("fixed_out", &ConnectSpec::fixed_out, "", at_least(0), "synapses of each source, to targets that are drawn");
    field("one_to_one", &ConnectSpec::one_to_one, "", any(), "neuron k to neuron k");
    field("from", &ConnectSpec::from, "", at_least(0), "sources of a list of synapses");
    field("to", &ConnectSpec::to, "", at_least(0), "targets of a list of synapses");
    field("to_itself", &ConnectSpec::to_itself, "", any(), "whether a neuron may have a synapse onto itself");
  }
};

/// A table of `synapses.NAME.pathways`.
struct PathwaySpec {
  std::string from = "source";
  std::string event = "spike";
  std::string delay;
  std::vector<std::string> change;

  template <class Field>
  static void describe(Field&& field) {
    field("from", &PathwaySpec::from, "", one_of({"source", "target"}), "whose event it is");
    field("event", &PathwaySpec::event, "", any(), "its name: spike, or one of the group's events");
    field("delay", &PathwaySpec::delay, "", any(), "from the event to its effect, made of i, j, random, randn");
    field("change", &PathwaySpec::change, "", required(), "what it changes, in order");
  }
};

/// A table of `synapses`.
struct SynapsesSpec {
  std::string from;
  std::string to;
  ConnectSpec connect;
  Table equations;
  Table parameters;
  Table start;
  std::vector<std::string> own;
  std::string method = "auto";
  std::vector<std::string> on_pre;
  std::vector<std::string> on_post;
  std::string delay;
  std::string delay_post;
  Table pathways;
  Table summed;

  template <class Field>
  static void describe(Field&& field) {
    field("from", &SynapsesSpec::from, "", required(), "group of the sources, or a part of it: cells[0:3200]");
    field("to", &SynapsesSpec::to, "", required(), "group of the targets, or a part of it");
    field("connect", &SynapsesSpec::connect, "", required(), "which pairs");
    field("equations", &SynapsesSpec::equations, "", any(),
          "of variables of each synapse, worked out when a spike comes; and values with a name");
    field("parameters", &SynapsesSpec::parameters, "", any(), "as those of neurons; weights, for example");
    field("start", &SynapsesSpec::start, "", any(), "of each variable");
    field("own", &SynapsesSpec::own, "", any(), "parameters of which each synapse has its own, or that a spike changes");
    field("method", &SynapsesSpec::method, "", one_of({"auto", "event", "every_step"}),
          "variables are worked out when a spike comes (event), which takes linear equations, "
          "or every step; auto: the latter only where equations need neurons, t or noise");
    field("on_pre", &SynapsesSpec::on_pre, "", any(), "what a spike of the source changes, in order: g_post += w");
    field("on_post", &SynapsesSpec::on_post, "", any(), "what a spike of the target changes");
    field("delay", &SynapsesSpec::delay, "", any(), "from a spike of the source to its effect, made of i, j, random, randn");
    field("delay_post", &SynapsesSpec::delay_post, "", any(), "from a spike of the target to its effect");
    field("pathways", &SynapsesSpec::pathways, "", any(),
          "further ones by their names, in their order after on_pre and on_post: late = { delay = \"5 ms\", change = [ … ] }");
    field("summed", &SynapsesSpec::summed, "", any(),
          "parameters of the targets that are sums over their synapses in every step: I_gap = \"g * (v_pre - v_post) : nA\"");
  }
};

/// A table of `inputs`: spikes from outside.
struct InputsSpec {
  std::string to;
  std::string adds;
  std::string weight;
  std::string rate;
  std::int64_t num = 1;

  template <class Field>
  static void describe(Field&& field) {
    field("to", &InputsSpec::to, "", required(), "group of neurons");
    field("adds", &InputsSpec::adds, "", required(), "variable that every spike adds to");
    field("weight", &InputsSpec::weight, "", required(), "what it adds, made of what neurons have");
    field("rate", &InputsSpec::rate, "", required(), "of one source: 10 Hz, or a function of t");
    field("num", &InputsSpec::num, "", at_least(1), "sources of each neuron");
  }
};

/// A table of `arrays`: values over time.
struct ArraySpec {
  double dt_ms = 1;
  std::vector<double> values;
  std::int64_t num = 1;
  std::string unit = "1";
  std::string after = "error";

  template <class Field>
  static void describe(Field&& field) {
    field("dt_ms", &ArraySpec::dt_ms, "ms", required(positive()), "time from one row to the next");
    field("values", &ArraySpec::values, "", required(), "rows of num numbers, one after the other");
    field("num", &ArraySpec::num, "", at_least(1), "numbers of a row: 1, or one for each neuron that reads it");
    field("unit", &ArraySpec::unit, "", any(), "of the numbers");
    field("after", &ArraySpec::after, "", one_of({"error", "hold", "repeat"}), "when the rows are over");
  }
};

/// A whole network.
struct NetworkSpec {
  double dt_ms = 0.1;
  Table neurons;
  Table synapses;
  Table inputs;
  Table arrays;

  template <class Field>
  static void describe(Field&& field) {
    field("dt_ms", &NetworkSpec::dt_ms, "ms", positive(), "time step");
    field("neurons", &NetworkSpec::neurons, "", required(), "groups by their names");
    field("synapses", &NetworkSpec::synapses, "", any(), "between groups, by their names");
    field("inputs", &NetworkSpec::inputs, "", any(), "Poisson spikes from outside, by their names");
    field("arrays", &NetworkSpec::arrays, "", any(), "values over time that equations may use by name");
  }
};

}  // namespace hartline::dynamics
