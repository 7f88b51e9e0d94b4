// Lowering: from syntax to the graph, names resolved and units checked.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "equations/graph.hpp"
#include "equations/syntax.hpp"

namespace hartline::equations {

/// The names that texts may use, and what they stand for. Values are in base units (m, kg, s, A, K, mol, cd, rad, dB).
class Scope {
 public:
  explicit Scope(Graph& graph) : graph_(graph) {}

  /// A name whose value is given. Throws: SpecError for a name that is taken or that no text could use.
  std::uint32_t declare(Symbol symbol, const std::string& path);
  /// Throws: SpecError for a word of the language.
  static void check_name(const std::string& name, const std::string& path);

  /// A named sub-expression; it is lowered when it is first used. Throws: as declare.
  void define(Statement statement, const std::string& path);

  /// The value of a name. Throws: SpecError where it is not known, stands for itself, or cannot be lowered; UnitError.
  Id value(std::string_view name, const std::string& path);

  /// Lowers an expression. Throws: SpecError, UnitError; the message points at the place.
  Id lower(const Statement& statement, const std::string& path);

  /// Lowers a condition. Throws: as lower.
  Id condition(const Statement& statement, const std::string& path);

  /// Lowers one part of a statement, for example an argument of a response's law.
  Id lower_part(const Statement& statement, std::uint32_t part, const std::string& path);

  /// The words in which a value's unit was declared, or else those of its dimension.
  std::string unit_of(Id id) const;

  std::vector<std::string_view> names() const;

 private:
  friend class Lowering;
  struct Meaning {
    std::uint32_t symbol = ~std::uint32_t{0};
    Statement statement;
    std::string path;
    Id value = no_id;
    bool open = false;  // being lowered
  };
  void add(const std::string& name, Meaning meaning, const std::string& path);

  Graph& graph_;
  std::map<std::string, Meaning, std::less<>> meanings_;
  std::map<Id, std::string> units_;  // declared, of named values
  int num_open_ = 0;
  int depth_ = 0;  // of everything that waits to be lowered
};

/// The number that an expression of constants stands for, if it is one.
std::optional<double> constant_value(const Graph& graph, Id id);

}  // namespace hartline::equations
