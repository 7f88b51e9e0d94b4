// The interpreter: one instruction after the other over blocks of lanes. Always there, and what compiled kernels are compared with.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "equations/compiled.hpp"
#include "equations/math_kernels.hpp"
#include "equations/order.hpp"

#define HARTLINE_LAMBDA __attribute__((always_inline))

namespace hartline::equations {

namespace {

using numerics::Lanes;
using numerics::load;
using numerics::num_lanes;
using numerics::spread;
using numerics::store;

constexpr std::size_t block = 256;  // lanes
constexpr std::uint32_t no_slot = ~std::uint32_t{0};

/// Work of one step over a block. A slot that is the same in all lanes holds its number in the first num_lanes places.
struct Step {
  enum class Kind : std::uint8_t { compute, read, begin, end } kind = Kind::compute;
  Op op = Op::constant;
  bool varies = false;
  std::array<bool, 3> arg_varies{};
  std::uint8_t num_args = 0;
  std::uint32_t out = no_slot;
  std::array<std::uint32_t, 3> args = {no_slot, no_slot, no_slot};
  double value = 0;           // a constant, an exponent, or the count of a sum
  bool by_exprel = false;     // a quotient: the second argument is that of exprel
  math::Reciprocal divisor;   // of a number that is divided by
  std::uint32_t symbol = 0;   // of a read
  std::uint32_t partner = 0;  // begin ↔ end
};

/// A function of lanes over a block; `step` is 0 for what is the same in all lanes.
template <class F>
HARTLINE_INLINE void map(std::size_t n, double* out, const double* a, std::size_t sa, F&& f) {
  for (std::size_t i = 0; i < n; i += num_lanes) store(out + i, f(load(a + i * sa)));
}
template <class F>
HARTLINE_INLINE void map(std::size_t n, double* out, const double* a, std::size_t sa, const double* b, std::size_t sb, F&& f) {
  for (std::size_t i = 0; i < n; i += num_lanes) store(out + i, f(load(a + i * sa), load(b + i * sb)));
}

HARTLINE_INLINE Lanes truth(numerics::LaneBits mask) { return mask ? spread(1.0) : spread(0.0); }

HARTLINE_INLINE Lanes whole_power(Lanes x, int n) {
  Lanes y = x, power = x;
  for (--n; n > 0; n >>= 1) {
    if (n & 1) y = y * power;
    power = power * power;
  }
  return y;
}

HARTLINE_CLONES void compute(const Step& step, std::size_t n, double* out, const double* const* args) {
  const double *a = args[0], *b = args[1], *c = args[2];
  const std::size_t sa = step.arg_varies[0], sb = step.arg_varies[1], sc = step.arg_varies[2];
  switch (step.op) {
    case Op::add:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return x + y; });
    case Op::subtract:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return x - y; });
    case Op::multiply:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return x * y; });
    case Op::divide:
      if (step.by_exprel)
        return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return math::over_exprel(x, y); });
      if (step.divisor.head != 0) {
        const math::Reciprocal divisor = step.divisor;
        return map(n, out, a, sa, [divisor](Lanes x) HARTLINE_LAMBDA { return math::over(x, divisor); });
      }
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return x / y; });
    case Op::min:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return ((x < y) | (x != x)) ? x : y; });
    case Op::max:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return ((x > y) | (x != x)) ? x : y; });
    case Op::less:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return truth(x < y); });
    case Op::less_equal:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return truth(x <= y); });
    case Op::equal:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return truth(x == y); });
    case Op::both:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return x * y; });
    case Op::either:
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return x > y ? x : y; });
    case Op::negation:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return spread(1.0) - x; });
    case Op::where:
      for (std::size_t i = 0; i < n; i += num_lanes)
        store(out + i, load(a + i * sa) != spread(0.0) ? load(b + i * sb) : load(c + i * sc));
      return;
    case Op::negate:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return -x; });
    case Op::abs:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return x < spread(0.0) ? -x : x + spread(0.0); });
    case Op::sign:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA {
        const Lanes up = x > spread(0.0) ? spread(1.0) : x;
        return x < spread(0.0) ? spread(-1.0) : up;
      });
    case Op::exp:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::exp(x); });
    case Op::expm1:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::expm1(x); });
    case Op::exprel:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::exprel(x); });
    case Op::log:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::log(x); });
    case Op::log1p:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::log1p(x); });
    case Op::tanh:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::tanh(x); });
    case Op::logistic:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::logistic(x); });
    case Op::softplus:
      return map(n, out, a, sa, [](Lanes x) HARTLINE_LAMBDA { return math::softplus(x); });
    case Op::power:
      if (step.value >= 1 && step.value <= 64 && step.value == static_cast<int>(step.value)) {
        const int e = static_cast<int>(step.value);
        return map(n, out, a, sa, [e](Lanes x) HARTLINE_LAMBDA { return whole_power(x, e); });
      }
      return map(n, out, a, sa, b, sb, [](Lanes x, Lanes y) HARTLINE_LAMBDA { return math::pow(x, y); });
    case Op::atan2:
      for (std::size_t i = 0; i < n; ++i) out[i] = std::atan2(a[i * sa], b[i * sb]);
      return;
    case Op::sqrt:
      for (std::size_t i = 0; i < n; ++i) out[i] = std::sqrt(a[i * sa]);
      return;
    default: {
      const auto f = function_of(step.op).value;
      for (std::size_t i = 0; i < n; ++i) out[i] = f(a[i * sa]);
      return;
    }
  }
}

HARTLINE_CLONES void multiply_add(double* out, const double* a, const double* b, const double* c) {
  store(out, math::multiply_add(load(a), load(b), load(c)));
}

class Interpreter final : public Kernel {
 public:
  Interpreter(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies) : graph_(graph), varies_(varies) {
    for (const Id id : outputs) need(id);
    for (const Id id : outputs) {
      outputs_.push_back(slot_of_.at(id));
      output_varies_.push_back(node_varies_.at(id));
    }
    for (std::uint32_t s = 0; s < graph.num_symbols(); ++s) shapes_.push_back(graph.symbol(s).shape);
    share_slots();
  }

  void run(std::span<const Input> inputs, std::size_t num, std::span<double* const> outputs) const override {
    thread_local std::vector<double> kept;
    std::vector<double> arena = std::move(kept);
    if (arena.size() < num_slots_ * block) arena.resize(num_slots_ * block, 0.0);
    for (std::size_t first = 0; first < num; first += block) {
      const std::size_t n = std::min(block, num - first);
      run_block(inputs, first, n, arena.data());
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        const double* from = &arena[outputs_[k] * block];
        if (output_varies_[k])
          std::copy_n(from, n, outputs[k] + first);
        else
          std::fill_n(outputs[k] + first, n, *from);
      }
    }
    kept = std::move(arena);
  }

 private:
  // --- making ----------------------------------------------------------------------------------------------------------------

  /// Appends the steps that work out a node, unless they are there.
  void need(Id root) {
    for (const Id id : needed_here(graph_, root, slot_of_)) append(id);
  }

  void append(Id id) {
    const Node& node = graph_.at(id);
    if (slot_of_.contains(id)) return;
    Step step;
    step.op = node.op;
    step.value = node.value;
    step.num_args = static_cast<std::uint8_t>(node.num_args());
    if (node.op == Op::sum) return append_sum(id, node);
    const Id in_exprel = exprel_divided_by(graph_, node);
    step.by_exprel = in_exprel != no_id;
    for (std::size_t k = 0; k < step.num_args; ++k) {
      const Id arg = k == 1 && step.by_exprel ? in_exprel : node.args[k];
      step.args[k] = slot_of_.at(arg);
      step.arg_varies[k] = node_varies_.at(arg);
      step.varies |= step.arg_varies[k];
    }
    if ((node.op == Op::power || node.op == Op::divide) && graph_.is_constant(node.args[1]))
      step.value = graph_.at(node.args[1]).value;
    if (node.op == Op::divide && products_are_fused()) step.divisor = math::reciprocal(step.value);
    if (node.op == Op::symbol || node.op == Op::element) {
      step.kind = Step::Kind::read;
      step.symbol = node.symbol;
      step.varies = varies_[node.symbol];
    }
    place(id, step);
  }

  void append_sum(Id id, const Node& node) {
    const Id index = index_in(graph_, node.args[0], node.symbol);
    Step begin;
    begin.kind = Step::Kind::begin;
    begin.value = node.value;
    begin.out = new_slot();
    slot_of_[index] = begin.out;
    node_varies_[index] = false;
    const std::uint32_t total = new_slot();
    begin.args[0] = total;
    const std::size_t at = steps_.size();
    steps_.push_back(begin);
    const std::vector<Id> order = needed_here(graph_, node.args[0], slot_of_);
    for (const Id inner : order) append(inner);
    Step end;
    end.kind = Step::Kind::end;
    end.args[0] = slot_of_.at(node.args[0]);
    end.arg_varies[0] = node_varies_.at(node.args[0]);
    end.varies = end.arg_varies[0];
    end.out = total;
    end.partner = static_cast<std::uint32_t>(at);
    steps_[at].partner = static_cast<std::uint32_t>(steps_.size());
    steps_[at].varies = end.varies;
    steps_.push_back(end);
    for (const Id inner : order)
      if (graph_.at(inner).free_indices >> node.symbol & 1u) forget(inner);
    forget(index);
    slot_of_[id] = total;
    node_varies_[id] = end.varies;
  }

  void place(Id id, Step step) {
    step.out = new_slot();
    slot_of_[id] = step.out;
    node_varies_[id] = step.varies;
    steps_.push_back(step);
  }
  void forget(Id id) {
    slot_of_.erase(id);
    node_varies_.erase(id);
  }
  std::uint32_t new_slot() { return static_cast<std::uint32_t>(num_slots_++); }

  /// Slots whose values are never needed at the same time become one. Constants keep theirs, so that they are set once a block.
  void share_slots() {
    std::vector<std::size_t> last(num_slots_, 0), first(num_slots_, steps_.size());
    const auto use = [&](std::uint32_t slot, std::size_t at) {
      if (slot == no_slot) return;
      // what is made before a loop and used in it is needed until the loop ends
      std::size_t until = at;
      for (std::size_t k = 0; k < at; ++k)
        if (steps_[k].kind == Step::Kind::begin && first[slot] < k && steps_[k].partner >= at)
          until = std::max<std::size_t>(until, steps_[k].partner);
      last[slot] = std::max(last[slot], until);
    };
    for (std::size_t k = 0; k < steps_.size(); ++k) {
      const Step& step = steps_[k];
      first[step.out] = std::min(first[step.out], k);
      if (step.kind == Step::Kind::begin) {
        first[step.args[0]] = std::min(first[step.args[0]], k);
        last[step.out] = step.partner;
      }
    }
    for (std::size_t k = 0; k < steps_.size(); ++k) {
      use(steps_[k].out, k);
      for (const std::uint32_t arg : steps_[k].args) use(arg, k);
    }
    for (const std::uint32_t slot : outputs_) last[slot] = steps_.size();
    std::vector<std::uint32_t> place(num_slots_, no_slot), spare;
    std::vector<std::vector<std::uint32_t>> ends(steps_.size() + 1);
    std::uint32_t num = 0;
    const auto take = [&](std::uint32_t slot) {
      if (place[slot] != no_slot) return;
      if (spare.empty()) {
        place[slot] = num++;
      } else {
        place[slot] = spare.back();
        spare.pop_back();
      }
      ends[last[slot]].push_back(slot);
    };
    for (std::size_t k = 0; k < steps_.size(); ++k) {
      take(steps_[k].out);
      if (steps_[k].kind == Step::Kind::begin) take(steps_[k].args[0]);
      for (const std::uint32_t slot : ends[k]) spare.push_back(place[slot]);
    }
    for (Step& step : steps_) {
      step.out = place[step.out];
      for (std::uint32_t& arg : step.args)
        if (arg != no_slot) arg = place[arg];
    }
    for (std::uint32_t& slot : outputs_) slot = place[slot];
    num_slots_ = num;
  }

  // --- running ---------------------------------------------------------------------------------------------------------------

  void run_block(std::span<const Input> inputs, std::size_t first, std::size_t n, double* arena) const {
    const std::size_t padded = (n + num_lanes - 1) / num_lanes * num_lanes;
    const auto slot = [&](std::uint32_t at) { return arena + at * block; };
    for (std::size_t at = 0; at < steps_.size(); ++at) {
      const Step& step = steps_[at];
      const std::size_t width = step.varies ? padded : num_lanes;
      switch (step.kind) {
        case Step::Kind::read:
          read(inputs[step.symbol], step, first, n, arena);
          break;
        case Step::Kind::compute:
          if (step.op == Op::constant) {
            std::fill_n(slot(step.out), num_lanes, step.value);
          } else {
            const double* args[3] = {};
            for (std::size_t k = 0; k < step.num_args; ++k) args[k] = slot(step.args[k]);
            compute(step, width, slot(step.out), args);
          }
          break;
        case Step::Kind::begin:
          std::fill_n(slot(step.out), num_lanes, 0.0);
          std::fill_n(slot(step.args[0]), width, 0.0);
          break;
        case Step::Kind::end: {
          double* total = slot(step.out);
          const double* value = slot(step.args[0]);
          for (std::size_t i = 0; i < width; ++i) total[i] += value[i];
          const Step& begin = steps_[step.partner];
          double* index = slot(begin.out);
          if (index[0] + 1 < begin.value) {
            for (int i = 0; i < num_lanes; ++i) index[i] += 1;
            at = step.partner;
          }
          break;
        }
      }
    }
  }

  void read(const Input& input, const Step& step, std::size_t first, std::size_t n, double* arena) const {
    std::size_t element = 0;
    for (std::size_t k = 0; k < step.num_args; ++k)
      element = element * shapes_[step.symbol][k] + static_cast<std::size_t>(arena[step.args[k] * block]);
    double* out = arena + step.out * block;
    const double* from = input.data + element * input.element_stride;
    if (!step.varies)
      std::fill_n(out, num_lanes, *from);
    else
      for (std::size_t i = 0; i < n; ++i) out[i] = from[(first + i) * input.lane_stride];
  }

  const Graph& graph_;
  std::vector<bool> varies_;
  std::vector<Step> steps_;
  std::vector<std::uint32_t> outputs_;
  std::vector<bool> output_varies_;
  std::vector<std::vector<std::size_t>> shapes_;
  std::unordered_map<Id, std::uint32_t> slot_of_;
  std::unordered_map<Id, bool> node_varies_;
  std::size_t num_slots_ = 0;
};

}  // namespace

bool products_are_fused() {
  alignas(sizeof(Lanes)) double a[num_lanes], c[num_lanes], out[num_lanes];
  volatile double above_one = 1 + 0x1p-30;
  store(a, spread(above_one));
  store(c, spread(-(1 + 0x1p-29)));
  multiply_add(out, a, a, c);
  return out[0] != 0;  // 2^-60, which only a product that is not rounded has
}

std::unique_ptr<Kernel> make_interpreter(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies) {
  return std::make_unique<Interpreter>(graph, outputs, varies);
}

}  // namespace hartline::equations
