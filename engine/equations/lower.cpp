#include "equations/lower.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"

namespace hartline::equations {

namespace {

constexpr std::uint32_t max_sums = 8;  // one inside the other
constexpr int max_open = 200;          // names that wait for others
constexpr int max_depth = 4000;        // of all that wait, so that no text exhausts the stack

std::string at_column(const Syntax& part) { return fmt::format("(column {})", part.span.begin + 1); }

/// Functions that are written with others.
constexpr std::string_view written[] = {"min", "max", "atan2", "where", "dot", "sum", "clip", "log2", "log10", "normal_cdf"};

std::vector<std::string_view> function_names() {
  std::vector<std::string_view> names(std::begin(written), std::end(written));
  for (const Function& function : functions()) names.push_back(function.name);
  return names;
}

bool is_reserved(std::string_view name) {
  const auto names = function_names();
  return std::find(names.begin(), names.end(), name) != names.end() || name == "and" || name == "or" || name == "not" ||
         name == "in" || name == "pi" || name == "given" || name == "start" || name == "mixture" || name == "censored";
}

}  // namespace

std::optional<double> constant_value(const Graph& graph, Id root) {
  if (graph.at(root).op == Op::constant) return graph.at(root).value;
  std::unordered_map<Id, double> values;
  bool known = true;
  for_each_needed(graph, std::span<const Id>(&root, 1), [&](Id id) {
    const Node& node = graph.at(id);
    known = known && node.op != Op::symbol && node.op != Op::element && node.op != Op::index && node.op != Op::sum;
    if (!known) return;
    std::array<double, 3> args{};
    for (std::size_t k = 0; k < node.num_args(); ++k) args[k] = values.at(node.args[k]);
    values.emplace(id, evaluate(node, args));
  });
  if (!known) return {};
  return values.at(root);
}

/// One statement on its way to the graph.
class Lowering {
 public:
  Lowering(Scope& scope, const Statement& statement, const std::string& path)
      : scope_(scope), graph_(scope.graph_), statement_(statement), path_(path) {}

  Id lower(std::uint32_t at) {
    const Syntax& part = statement_.at(at);
    if (scope_.depth_ > max_depth)
      fail(part, fmt::format("expressions and the names in them at most {} operations deep are needed", max_depth));
    const Deeper deeper(scope_.depth_);
    switch (part.form) {
      case Form::number:
        if (!std::isfinite(part.value * part.unit.scale)) fail(part, fmt::format("\"{}\" is too large for a double", text(part)));
        return graph_.constant(part.value * part.unit.scale, part.unit.dimension);
      case Form::name:
        return name(part);
      case Form::element:
        return element(part);
      case Form::call:
        return call(part);
      case Form::sum:
        return sum(part);
      case Form::sign: {
        const Id a = number(part.args[0]);
        if (graph_.is_constant(a) && !std::signbit(graph_.at(a).value))
          return graph_.constant(-graph_.at(a).value, graph_.at(a).dimension);
        return plain(Op::negate, {a}, graph_.at(a).dimension);
      }
      case Form::negation:
        return plain(Op::negation, {condition(part.args[0])}, {}, true);
      case Form::binary:
        return binary(part);
    }
    return no_id;
  }

  Id condition(std::uint32_t at) {
    const Id id = lower(at);
    if (!graph_.at(id).is_boolean)
      fail(statement_.at(at), fmt::format("\"{}\" is a number where a condition is needed", text(statement_.at(at))),
           "Compare it with something.");
    return id;
  }

  struct Deeper {
    explicit Deeper(int& d) : depth(d) { ++depth; }
    ~Deeper() { --depth; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    int& depth;
  };

  [[noreturn]] void fail(const Syntax& part, const std::string& what, const std::string& hint = "") const {
    throw SpecError(fmt::format("{}: {} {}.{}{}", path_, what, at_column(part), hint.empty() ? "" : " ", hint));
  }

 private:
  Id plain(Op op, std::initializer_list<Id> args, const Dimension& dimension, bool is_boolean = false) {
    return graph_.plain(make_node(op, args, dimension, is_boolean));
  }

  std::string text(const Syntax& part) const { return std::string(statement_.text_of(part)); }
  bool is_bare_zero(Id id) const { return graph_.is_constant(id, 0) && dimension(id).none(); }
  Id zero_of(Id zero, const Dimension& to) { return graph_.constant(graph_.at(zero).value, to); }  // with its sign
  const Dimension& dimension(Id id) const { return graph_.at(id).dimension; }

  Id number(std::uint32_t at) {
    const Id id = lower(at);
    if (graph_.at(id).is_boolean)
      fail(statement_.at(at), fmt::format("\"{}\" is a condition where a number is needed", text(statement_.at(at))),
           "where(condition, a, b) makes a number of one.");
    return id;
  }

  Id plain_number(std::uint32_t at, std::string_view what) {
    const Id id = number(at);
    if (!dimension(id).none())
      throw UnitError(fmt::format("{}: {} a number without unit. \"{}\" is {} {}. Divide it by something in {}.", path_, what,
                                  text(statement_.at(at)), scope_.unit_of(id), at_column(statement_.at(at)), scope_.unit_of(id)));
    return id;
  }

  Id alike(std::string_view verb, const Syntax& whole, std::uint32_t a, std::uint32_t b, Id ia, Id ib) {
    if (dimension(ia) == dimension(ib)) return ib;
    // a bare zero has every unit
    if (is_bare_zero(ib)) return zero_of(ib, dimension(ia));
    throw UnitError(fmt::format("{}: cannot {} {} and {}. In \"{}\", {} is {} and {} is {} {}.", path_, verb, scope_.unit_of(ia),
                                scope_.unit_of(ib), text(whole), text(statement_.at(a)), scope_.unit_of(ia), text(statement_.at(b)),
                                scope_.unit_of(ib), at_column(whole)));
  }

  Id binary(const Syntax& part) {
    const std::uint32_t a = part.args[0], b = part.args[1];
    if (part.text == "and" || part.text == "or")
      return plain(part.text == "and" ? Op::both : Op::either, {condition(a), condition(b)}, {}, true);
    Id ia = number(a), ib = number(b);
    // a number of units without a name of their own is written 3 * (1 m)^-3, and is one number
    if (part.text == "*" && graph_.is_constant(ia) && graph_.is_constant(ib, 1))
      return graph_.constant(graph_.at(ia).value, dimension(ia) * dimension(ib));
    if (part.text == "*") return plain(Op::multiply, {ia, ib}, dimension(ia) * dimension(ib));
    if (part.text == "/") return plain(Op::divide, {ia, ib}, dimension(ia) / dimension(ib));
    if (part.text == "^") return power(part, ia, ib);
    const bool adds = part.text == "+" || part.text == "-";
    const char* verb = part.text == "+" ? "add" : part.text == "-" ? "subtract" : "compare";
    if (is_bare_zero(ia)) ia = zero_of(ia, dimension(ib));
    ib = alike(verb, part, a, b, ia, ib);
    if (adds) return plain(part.text == "+" ? Op::add : Op::subtract, {ia, ib}, dimension(ia));
    if (part.text == "<") return plain(Op::less, {ia, ib}, {}, true);
    if (part.text == "<=") return plain(Op::less_equal, {ia, ib}, {}, true);
    if (part.text == ">") return plain(Op::less, {ib, ia}, {}, true);
    if (part.text == ">=") return plain(Op::less_equal, {ib, ia}, {}, true);
    const Id equal = plain(Op::equal, {ia, ib}, {}, true);
    return part.text == "==" ? equal : plain(Op::negation, {equal}, {}, true);
  }

  Id power(const Syntax& part, Id base, Id exponent) {
    if (!dimension(exponent).none()) plain_number(part.args[1], "an exponent takes");
    if (dimension(base).none()) return plain(Op::power, {base, exponent}, {});
    const auto value = constant_value(graph_, exponent);
    if (!value)
      throw UnitError(fmt::format("{}: \"{}\" is {}, so its exponent must be a number that is known. In \"{}\" {}.", path_,
                                  text(statement_.at(part.args[0])), scope_.unit_of(base), text(part), at_column(part)));
    const auto raised = hartline::power(dimension(base), *value);
    if (!raised) fail(part, fmt::format("{} to the power {} has no unit", scope_.unit_of(base), number_text(*value)));
    if (graph_.is_constant(base, 1)) return graph_.constant(1, *raised);
    return plain(Op::power, {base, exponent}, *raised);
  }

  Id name(const Syntax& part) {
    if (const auto known = scope_.meanings_.find(part.text); known != scope_.meanings_.end()) {
      if (known->second.symbol != ~std::uint32_t{0} && !graph_.symbol(known->second.symbol).shape.empty())
        fail(part, fmt::format("\"{}\" is a vector where a number is needed", part.text),
             fmt::format("Take an element, {}[0], a dot product or a sum.", part.text));
      return scope_.value(part.text, path_);
    }
    for (std::size_t k = indices_.size(); k-- > 0;)
      if (indices_[k].name == part.text) return graph_.index(static_cast<std::uint32_t>(k));
    if (part.text == "pi") return graph_.constant(std::numbers::pi);
    if (const auto unit = unit_named(part.text)) return graph_.constant(unit->scale, unit->dimension);
    auto names = scope_.names();
    for (const Index& index : indices_) names.push_back(index.name);
    fail(part, fmt::format("there is no name \"{}\"", part.text), did_you_mean(part.text, names));
  }

  const Symbol& vector_named(const Syntax& part, std::uint32_t& symbol) {
    const auto known = part.form == Form::name ? scope_.meanings_.find(part.text) : scope_.meanings_.end();
    if (known == scope_.meanings_.end() || known->second.symbol == ~std::uint32_t{0} ||
        graph_.symbol(known->second.symbol).shape.empty())
      fail(part, fmt::format("\"{}\" is not a vector", text(part)));
    symbol = known->second.symbol;
    return graph_.symbol(symbol);
  }

  Id element(const Syntax& part) {
    std::uint32_t symbol = 0;
    const std::vector<std::size_t> shape = vector_named(statement_.at(part.args[0]), symbol).shape;
    if (part.args.size() - 1 != shape.size())
      fail(part, fmt::format("\"{}\" has {} index{}", part.text, shape.size(), shape.size() == 1 ? "" : "es"),
           fmt::format("Got {}.", part.args.size() - 1));
    std::vector<Id> indices;
    ranges_.clear();
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const std::uint32_t at = part.args[k + 1];
      const Id index = plain_number(at, "an index is");
      const auto [low, high] = range(statement_.at(at), index);
      if (low < 0 || high > static_cast<double>(shape[k]) - 1)
        fail(statement_.at(at), fmt::format("index {} of \"{}\" must be from 0 to {}", k, part.text, shape[k] - 1),
             low == high ? fmt::format("Got {}.", number_text(low))
                         : fmt::format("Got {} to {}.", number_text(low), number_text(high)));
      indices.push_back(index);
    }
    return graph_.element(symbol, indices);
  }

  /// What an index can be: whole numbers, made of the indices of sums and of constants.
  std::pair<double, double> range(const Syntax& part, Id id) {
    if (const auto known = ranges_.find(id); known != ranges_.end()) return known->second;
    const auto found = range_of(part, id);
    ranges_.emplace(id, found);
    return found;
  }

  std::pair<double, double> range_of(const Syntax& part, Id id) {
    const Node node = graph_.at(id);
    const auto whole = [](double x) { return std::nearbyint(x) == x; };
    if (node.op == Op::constant && whole(node.value)) return {node.value, node.value};
    if (node.op == Op::index) return {0, indices_[node.symbol].count - 1};
    if (node.op == Op::negate) {
      const auto [low, high] = range(part, node.args[0]);
      return {-high, -low};
    }
    if (node.op == Op::add || node.op == Op::subtract || node.op == Op::multiply) {
      const auto [al, ah] = range(part, node.args[0]);
      const auto [bl, bh] = range(part, node.args[1]);
      if (node.op == Op::add) return {al + bl, ah + bh};
      if (node.op == Op::subtract) return {al - bh, ah - bl};
      return {std::min({al * bl, al * bh, ah * bl, ah * bh}), std::max({al * bl, al * bh, ah * bl, ah * bh})};
    }
    fail(part, "an index is made of whole numbers and of the indices of sums");
  }

  double count(std::uint32_t at) {
    const Syntax& part = statement_.at(at);
    const auto value = constant_value(graph_, plain_number(at, "a sum runs over"));
    if (!value || *value < 1 || *value > 1e6 || std::nearbyint(*value) != *value)
      fail(part, "a sum runs over a whole number of values, from 1 to 1e6, that is known");
    return *value;
  }

  Id sum(const Syntax& part) {
    const double n = count(part.args[0]);
    return loop(part, part.text, n, [&](Id) { return number(part.args[1]); });
  }

  template <class Body>
  Id loop(const Syntax& part, const std::string& name, double n, Body&& body) {
    if (indices_.size() == max_sums) fail(part, fmt::format("at most {} sums stand one inside the other", max_sums));
    if (!name.empty() && (is_reserved(name) || scope_.meanings_.contains(name)))
      fail(part, fmt::format("the index \"{}\" is the name of something else", name));
    const auto depth = static_cast<std::uint32_t>(indices_.size());
    indices_.push_back({name, n});
    const Id inner = body(graph_.index(depth));
    indices_.pop_back();
    Node node = make_node(Op::sum, {inner}, dimension(inner));
    node.symbol = depth;
    node.value = n;
    return graph_.plain(node);
  }

  void want(const Syntax& part, std::size_t num) const {
    if (part.args.size() != num)
      fail(part, fmt::format("{} takes {} argument{}", part.text, num, num == 1 ? "" : "s"),
           fmt::format("Got {}.", part.args.size()));
  }

  Id call(const Syntax& part) {
    for (const Function& function : functions())
      if (function.name == part.text) return unary(part, function);
    if (part.text == "min" || part.text == "max" || part.text == "atan2") {
      want(part, 2);
      Id a = number(part.args[0]);
      const Id other = number(part.args[1]);
      if (is_bare_zero(a)) a = zero_of(a, dimension(other));
      const Id b = alike("compare", part, part.args[0], part.args[1], a, other);
      if (part.text == "atan2") return plain(Op::atan2, {a, b}, angle());
      return plain(part.text == "min" ? Op::min : Op::max, {a, b}, dimension(a));
    }
    if (part.text == "where") {
      want(part, 3);
      const Id test = condition(part.args[0]);
      Id a = number(part.args[1]);
      const Id other = number(part.args[2]);
      if (is_bare_zero(a)) a = zero_of(a, dimension(other));
      return plain(Op::where, {test, a, alike("choose between", part, part.args[1], part.args[2], a, other)}, dimension(a));
    }
    if (part.text == "clip") {
      want(part, 3);
      const Id x = number(part.args[0]);
      const Id low = alike("compare", part, part.args[0], part.args[1], x, number(part.args[1]));
      const Id high = alike("compare", part, part.args[0], part.args[2], x, number(part.args[2]));
      return plain(Op::min, {plain(Op::max, {x, low}, dimension(x)), high}, dimension(x));
    }
    if (part.text == "log2" || part.text == "log10") {
      want(part, 1);
      const Id x = plain(Op::log, {plain_number(part.args[0], part.text + " takes")}, {});
      return plain(Op::divide, {x, graph_.constant(std::log(part.text == "log2" ? 2 : 10))}, {});
    }
    if (part.text == "normal_cdf") {  // ½ erfc(-x / √2)
      want(part, 1);
      const Id x = plain_number(part.args[0], "normal_cdf takes");
      const Id scaled = plain(Op::multiply, {graph_.constant(-std::numbers::sqrt2 / 2), x}, {});
      return plain(Op::multiply, {graph_.constant(0.5), plain(Op::erfc, {scaled}, {})}, {});
    }
    if (part.text == "dot" || part.text == "sum") return over_vectors(part);
    auto names = function_names();
    fail(part, fmt::format("there is no function \"{}\"", part.text), did_you_mean(part.text, names));
  }

  /// Over every element of one array, or of two of the same shape.
  Id over_vectors(const Syntax& part) {
    want(part, part.text == "dot" ? 2 : 1);
    std::array<std::uint32_t, 2> symbols{};
    std::vector<std::size_t> shape;
    for (std::size_t k = 0; k < part.args.size(); ++k) {
      const std::vector<std::size_t>& own = vector_named(statement_.at(part.args[k]), symbols[k]).shape;
      if (k > 0 && own != shape)
        fail(part, fmt::format("arrays of {} and {} numbers have no dot product", fmt::join(shape, " x "), fmt::join(own, " x ")));
      shape = own;
    }
    std::vector<Id> indices;
    return over(part, symbols, shape, indices);
  }

  Id over(const Syntax& part, const std::array<std::uint32_t, 2>& symbols, const std::vector<std::size_t>& shape,
          std::vector<Id>& indices) {
    if (indices.size() == shape.size()) {
      const Id a = graph_.element(symbols[0], indices);
      if (part.args.size() == 1) return a;
      const Id b = graph_.element(symbols[1], indices);
      return plain(Op::multiply, {a, b}, dimension(a) * dimension(b));
    }
    return loop(part, "", static_cast<double>(shape[indices.size()]), [&](Id i) {
      indices.push_back(i);
      const Id inner = over(part, symbols, shape, indices);
      indices.pop_back();
      return inner;
    });
  }

  Id unary(const Syntax& part, const Function& function) {
    want(part, 1);
    const Id a = function.rule == UnitRule::number || function.rule == UnitRule::to_angle
                     ? plain_number(part.args[0], part.text + " takes")
                     : number(part.args[0]);
    switch (function.rule) {
      case UnitRule::same:
        return plain(function.op, {a}, dimension(a));
      case UnitRule::root: {
        const auto root = hartline::power(dimension(a), 0.5);
        if (!root) fail(part, fmt::format("{} has no square root", scope_.unit_of(a)));
        return plain(function.op, {a}, *root);
      }
      case UnitRule::of_angle:
        if (!(dimension(a) == angle())) plain_number(part.args[0], part.text + " takes an angle or");
        return plain(function.op, {a}, {});
      case UnitRule::to_angle:
        return plain(function.op, {a}, angle());
      case UnitRule::number:
      case UnitRule::to_number:
        break;
    }
    return plain(function.op, {a}, {});
  }

  struct Index {
    std::string name;
    double count;
  };

  Scope& scope_;
  Graph& graph_;
  const Statement& statement_;
  const std::string& path_;
  std::vector<Index> indices_;
  std::unordered_map<Id, std::pair<double, double>> ranges_;  // of the element in hand
};

void Scope::check_name(const std::string& name, const std::string& path) {
  if (is_reserved(name)) throw SpecError({path, "a name of its own", "\"" + name + "\"", "That is a word of the language."});
}

void Scope::add(const std::string& name, Meaning meaning, const std::string& path) {
  check_name(name, path);
  if (!meanings_.emplace(name, std::move(meaning)).second)
    throw SpecError({path, "a name that stands for one thing", "\"" + name + "\" again", ""});
}

std::uint32_t Scope::declare(Symbol symbol, const std::string& path) {
  const std::string name = symbol.name;
  Meaning meaning;
  meaning.symbol = graph_.add_symbol(std::move(symbol));
  meaning.path = path;
  const std::uint32_t at = meaning.symbol;
  add(name, std::move(meaning), path);
  return at;
}

void Scope::define(Statement statement, const std::string& path) {
  const std::string name = statement.name;
  Meaning meaning;
  meaning.statement = std::move(statement);
  meaning.path = path;
  add(name, std::move(meaning), path);
}

Id Scope::value(std::string_view name, const std::string& path) {
  const auto known = meanings_.find(name);
  if (known == meanings_.end()) {
    const auto all = names();
    throw SpecError({path, "a name that is defined", "\"" + std::string(name) + "\"", did_you_mean(name, all)});
  }
  Meaning& meaning = known->second;
  if (meaning.value != no_id) return meaning.value;
  if (meaning.symbol != ~std::uint32_t{0}) {
    meaning.value = graph_.symbol_value(meaning.symbol);
    units_.emplace(meaning.value, graph_.symbol(meaning.symbol).unit_text);
    return meaning.value;
  }
  if (meaning.open)
    throw SpecError(
        {meaning.path, "made of other names", "itself", fmt::format("\"{}\" is needed to work out \"{}\".", name, name)});
  if (num_open_ == max_open)
    throw SpecError({meaning.path, fmt::format("at most {} names deep", max_open), "a longer chain of names", ""});
  meaning.open = true;
  ++num_open_;
  const Id id = lower(meaning.statement, meaning.path);
  --num_open_;
  meaning.open = false;
  meaning.value = id;
  if (meaning.statement.has_unit) units_.emplace(id, meaning.statement.unit_text);
  return id;
}

Id Scope::lower(const Statement& statement, const std::string& path) {
  const Id id = lower_part(statement, statement.root, path);
  if (statement.has_unit && !(graph_.at(id).dimension == statement.unit.dimension)) {
    if (graph_.is_constant(id, 0) && graph_.at(id).dimension.none()) return graph_.constant(0, statement.unit.dimension);
    throw UnitError(fmt::format("{}: is said to be {}, but \"{}\" is {}.", path, statement.unit_text,
                                statement.text_of(statement.at(statement.root)), unit_of(id)));
  }
  return id;
}

Id Scope::condition(const Statement& statement, const std::string& path) {
  return Lowering(*this, statement, path).condition(statement.root);
}

Id Scope::lower_part(const Statement& statement, std::uint32_t part, const std::string& path) {
  Lowering lowering(*this, statement, path);
  const Id id = lowering.lower(part);
  if (graph_.at(id).is_boolean)
    lowering.fail(statement.at(part), "a condition where a number is needed", "where(condition, a, b) makes a number of one.");
  return id;
}

std::string Scope::unit_of(Id id) const {
  if (const auto declared = units_.find(id); declared != units_.end() && !declared->second.empty()) return declared->second;
  const Dimension& dimension = graph_.at(id).dimension;
  if (dimension.none()) return "a number without unit";
  // in the words of the text, where it has some
  for (const auto& [name, meaning] : meanings_) {
    const bool given = meaning.symbol != ~std::uint32_t{0};
    const Unit& unit = given ? graph_.symbol(meaning.symbol).unit : meaning.statement.unit;
    const std::string& text = given ? graph_.symbol(meaning.symbol).unit_text : meaning.statement.unit_text;
    if (!text.empty() && unit.dimension == dimension) return text;
  }
  return unit_text(dimension);
}

std::vector<std::string_view> Scope::names() const {
  std::vector<std::string_view> out;
  for (const auto& [name, meaning] : meanings_) out.push_back(name);
  return out;
}

}  // namespace hartline::equations
