// Names: what the texts of a group of neurons or of synapses may say, and where the numbers behind each name are.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.hpp"
#include "equations/integrate.hpp"
#include "equations/kernel.hpp"
#include "equations/lower.hpp"

namespace hartline::dynamics {

using equations::Id;

/// A variable or a parameter of a group. Numbers in a state are in base units (V, A, s, …), `unit` is what it is written in.
struct Quantity {
  std::string name;
  Unit unit;
  std::string unit_text;
  bool is_variable = false;
  bool is_own = true;      // each neuron, or each synapse, has its own
  bool is_narrow = false;  // kept as floats
  std::size_t offset = 0;  // of its row in a state; a shared one is a row of one number
  std::size_t apart = 0;   // of a variable with two rows that take turns: from the first to the second
};

/// What a symbol stands for.
enum class Role : std::uint8_t {
  time,      // at the start of the step, s
  dt,        // s
  index,     // i: number in the group, of a synapse that of its source
  target,    // j, of a synapse
  count,     // N, or N_pre
  count_to,  // N_post
  noise,     // ξ, N(0, 1) / √dt
  random,    // uniform in [0, 1)
  randn,     // N(0, 1)
  quantity,  // of the group itself
  pre,       // quantity of the source's group
  post,      // quantity of the target's group
  array,     // values over time
  propagator,
  // of steps within a step, behind all others:
  substep,     // its length, s
  elapsed,     // from the start of the step to its own, s
  integrated,  // a variable after all of them
};

struct Given {
  Role role = Role::time;
  std::size_t at = 0;   // of its role
  bool varies = false;  // between neurons or synapses
};

/// Values over time that texts may use by name.
struct TimedArray {
  std::string name;
  Unit unit;
  std::string unit_text;
  double dt_s = 1e-3;
  std::size_t num = 1;         // of a row
  std::vector<double> values;  // [num_rows, num], base units
  enum class After : std::uint8_t { error, hold, repeat } after = After::error;
};

/// The names of one group while its texts are read, and the graph that they become. Expressions are lowered with their units; after
/// `erase` they are plain.
class Names {
 public:
  /// `path` names the group in messages.
  explicit Names(std::string path);

  void declare_time();
  /// i, N and random numbers; of synapses also j, N_pre and N_post.
  void declare_neurons();
  void declare_synapses();
  void declare_arrays(const std::vector<TimedArray>& arrays, std::size_t num);
  /// The quantities of a group, by their names with `suffix`.
  void declare_group(const std::vector<Quantity>& quantities, Role role, const std::string& suffix);
  void declare(const Quantity& quantity, const std::string& at);
  /// A symbol that no text can use.
  std::uint32_t stand_for(const std::string& name, Given what);
  /// A named value.
  void define(const std::string& name, const std::string& text, const std::string& at);

  /// Throws: SpecError, UnitError.
  Id lower(const std::string& name, const std::string& text, const std::string& at);
  /// The same of a value that has to have a unit.
  Id lower(const std::string& name, const std::string& text, const std::string& at, const Unit& unit, const std::string& unit_text);
  Id condition(const std::string& text, const std::string& at);
  static bool is_condition(const std::string& text, const std::string& at);
  /// The unit that a text states behind its colon, if it states one, else that of its value.
  std::pair<Unit, std::string> unit_of(const std::string& text, const std::string& at);

  bool varies(std::uint32_t symbol) const { return symbol < given.size() && given[symbol].varies; }
  std::vector<bool> all_varies() const;
  /// Whether a value is the same for all neurons.
  bool is_shared(Id root) const;
  bool depends_on_role(Id root, Role role) const;

  /// Takes the units away. Nothing is lowered after that.
  void erase(std::vector<Id*> roots);

  std::uint32_t time() const { return symbol_of("t"); }
  std::uint32_t dt() const { return symbol_of("dt"); }
  std::uint32_t symbol_of(std::string_view name) const;
  std::vector<std::uint32_t> noise() const;

  equations::Graph graph;
  std::vector<Given> given;          // of every symbol
  std::vector<Quantity> quantities;  // of the group itself

 private:
  std::uint32_t add(const std::string& name, const Unit& unit, const std::string& unit_text, Given what, const std::string& at);
  void declare_random_names(std::string_view text);

  std::string path_;
  equations::Scope scope_;
  std::map<std::string, std::uint32_t, std::less<>> symbols_;
};

}  // namespace hartline::dynamics
