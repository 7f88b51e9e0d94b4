#include "dynamics/changes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace hartline::dynamics {

using equations::make_node;
using equations::Op;

namespace {

/// name = value, or with another operator.
struct Assignment {
  std::string target;
  char op = '=';  // or + - * /
  std::string text;
};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Assignment read_assignment(std::string_view text, const std::string& path) {
  const std::size_t at = text.find('=');
  if (at != std::string_view::npos && at > 0) {
    Assignment out{"", '=', std::string(trimmed(text.substr(at + 1)))};
    std::string_view target = text.substr(0, at);
    if (std::string_view("+-*/").find(target.back()) != std::string_view::npos) {
      out.op = target.back();
      target.remove_suffix(1);
    }
    out.target = trimmed(target);
    if (!out.target.empty() && std::all_of(out.target.begin(), out.target.end(), is_word) && !out.text.empty()) return out;
  }
  throw SpecError({path, "a change: name = value, or with +=, -=, *=, /=", "\"" + std::string(text) + "\"", ""});
}

class Reader {
 public:
  Reader(Names& names, const std::vector<Changeable>& owners) : names_(names), owners_(owners) {}

  void read(const std::string& text, const std::string& at) {
    const Assignment assignment = read_assignment(text, at);
    Change change = target_of(assignment.target, at);
    const Quantity& quantity = (*owners_[change.owner].quantities)[change.quantity];
    change.adds = owners_[change.owner].sums && (assignment.op == '+' || assignment.op == '-');
    change.value = after_others(value_of(assignment, quantity, change.adds, at));
    for (Change& other : out) {
      if (other.owner != change.owner || other.quantity != change.quantity) continue;
      if (other.adds != change.adds)
        throw SpecError({at, "either added to or set", "\"" + assignment.target + "\" in both ways", ""});
      if (change.adds) change.value = plain(Op::add, other.value, change.value, quantity);
      other.value = change.value;
      return;
    }
    out.push_back(change);
  }

  std::vector<Change> out;

 private:
  Change target_of(const std::string& name, const std::string& at) const {
    std::vector<std::string> known;
    for (std::size_t o = 0; o < owners_.size(); ++o)
      for (std::size_t k = 0; k < owners_[o].quantities->size(); ++k) {
        const Quantity& quantity = (*owners_[o].quantities)[k];
        if (quantity.name.find(' ') != std::string::npos) continue;
        known.push_back(quantity.name + owners_[o].suffix);
        if (known.back() != name) continue;
        if (!quantity.is_own)
          throw SpecError({at, fmt::format("a change of what each {} has", owners_[o].whose),
                           fmt::format("\"{}\", which all share", name), fmt::format("List it: own = [\"{}\"].", quantity.name)});
        return {o, k, false, equations::no_id};
      }
    const std::vector<std::string_view> views(known.begin(), known.end());
    throw SpecError({at, "a change of a variable or a parameter", "\"" + name + "\"", did_you_mean(name, views)});
  }

  Id plain(Op op, Id a, Id b, const Quantity& quantity) {
    return names_.graph.plain(make_node(op, {a, b}, quantity.unit.dimension));
  }

  Id value_of(const Assignment& assignment, const Quantity& quantity, bool adds, const std::string& at) {
    const bool scales = assignment.op == '*' || assignment.op == '/';
    const Id value = scales ? names_.lower(quantity.name, assignment.text, at, {}, "1")
                            : names_.lower(quantity.name, assignment.text, at, quantity.unit, quantity.unit_text);
    if (adds) return assignment.op == '+' ? value : names_.graph.plain(make_node(Op::negate, {value}, quantity.unit.dimension));
    const Id now = names_.graph.symbol_value(names_.symbol_of(assignment.target));
    switch (assignment.op) {
      case '+':
        return plain(Op::add, now, value, quantity);
      case '-':
        return plain(Op::subtract, now, value, quantity);
      case '*':
        return plain(Op::multiply, now, value, quantity);
      case '/':
        return plain(Op::divide, now, value, quantity);
      default:
        return value;
    }
  }

  /// A value with the changes before it done.
  Id after_others(Id value) {
    equations::Graph& g = names_.graph;
    std::unordered_map<Id, Id> done;
    return equations::rewrite(g, value, done, [&](const equations::Node& node, Id) {
      if (node.op == Op::symbol && node.symbol < names_.given.size())
        for (const Change& change : out) {
          const Given& what = names_.given[node.symbol];
          if (!change.adds && what.role == owners_[change.owner].role && what.at == change.quantity) return change.value;
        }
      return g.plain(node);
    });
  }

  Names& names_;
  const std::vector<Changeable>& owners_;
};

}  // namespace

std::vector<Change> read_changes(Names& names, const std::vector<Changeable>& owners, const std::vector<std::string>& texts,
                                 const std::string& path) {
  Reader reader(names, owners);
  for (std::size_t k = 0; k < texts.size(); ++k) reader.read(texts[k], fmt::format("{}[{}]", path, k));
  return std::move(reader.out);
}

}  // namespace hartline::dynamics
