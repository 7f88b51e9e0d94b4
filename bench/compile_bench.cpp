// Kernels of three texts, compiled, interpreted and as a scalar loop in C++ with libm: a tuning curve and two forms of a step of
// the Hodgkin-Huxley equations, one of them also as a loop over vectors in C++ by hand, which is as fast as such a loop gets.
#include <fmt/format.h>

#include <bit>

#include "base/random.hpp"
#include "bench/measure.hpp"
#include "equations/classic_texts.hpp"
#include "equations/kernel.hpp"
#include "equations/math_kernels.hpp"
#include "equations/program.hpp"

namespace hartline::bench {

namespace {

using equations::Id;
using equations::Input;
using equations::Kernel;

constexpr std::size_t num_lanes = 1000;

/// outputs[k][i] from inputs[s][i].
using Scalar = void (*)(const std::vector<std::vector<double>>& in, std::vector<std::vector<double>>& out);

void tuning_curve(const std::vector<std::vector<double>>& in, std::vector<std::vector<double>>& out) {
  const double x = in[0][0];
  for (std::size_t i = 0; i < num_lanes; ++i) {
    const double off = x - in[1][i], sigma = in[2][i];
    out[0][i] = 0.1 * (in[4][i] + in[3][i] * std::exp(-off * off / (2 * sigma * sigma)));
  }
}

double exprel(double x) { return x == 0 ? 1 : std::expm1(x) / x; }

void hodgkin_huxley(const std::vector<std::vector<double>>& in, std::vector<std::vector<double>>& out) {
  constexpr double dt = 1e-4, area = 2e-8, C = 1e-2 * area, gL = 0.5 * area, gNa = 1000 * area, gK = 300 * area;
  for (std::size_t i = 0; i < num_lanes; ++i) {
    const double v = 1e-3 * in[0][i], m = in[1][i], h = in[2][i], n = in[3][i], ge = 1e-9 * in[4][i], gi = 1e-9 * in[5][i];
    const double u = 1e3 * v + 63;
    const double am = 1280 / exprel((13 - u) / 4), bm = 1400 / exprel((u - 40) / 5);
    const double ah = 128 * std::exp((17 - u) / 18), bh = 4000 / (1 + std::exp((40 - u) / 5));
    const double an = 160 / exprel((15 - u) / 5), bn = 500 * std::exp((10 - u) / 40);
    const double na = gNa * m * m * m * h, k = gK * n * n * n * n, g = gL + ge + gi + na + k;
    const double rest = (gL * -60e-3 + gi * -80e-3 + na * 50e-3 + k * -90e-3) / g;
    out[0][i] = rest + (v - rest) * std::exp(-dt * g / C);
    out[1][i] = am / (am + bm) + (m - am / (am + bm)) * std::exp(-dt * (am + bm));
    out[2][i] = ah / (ah + bh) + (h - ah / (ah + bh)) * std::exp(-dt * (ah + bh));
    out[3][i] = an / (an + bn) + (n - an / (an + bn)) * std::exp(-dt * (an + bn));
    out[4][i] = ge * 0.98019867330675525;  // e^-0.02
    out[5][i] = gi * 0.99004983374916811;  // e^-0.01
  }
}

using numerics::Lanes;
double like(double, double c) { return c; }
double exp(double x) { return std::exp(x); }
using equations::math::exp;
using equations::math::exprel;
using equations::math::like;

/// A step of equations::cobahh_text, with the reciprocals of its numbers.
template <class V>
HARTLINE_INLINE void step_cobahh(const std::array<V, 6>& in, std::array<V, 6>& out) {
  constexpr double dt = 1e-4, area = 2e-8, Cm = 1e-2 * area, gl = 0.5 * area, g_na = 1000 * area, g_kd = 300 * area;
  const auto [v, m, h, n, ge, gi] = in;
  const auto number = [&](double c) __attribute__((always_inline)) { return like(v, c); };
  const V u = v + number(63e-3), one = number(1);
  const V alpha_m = number(1280) / exprel((number(13e-3) - u) * number(250)),
          beta_m = number(1400) / exprel((u - number(40e-3)) * number(200));
  const V alpha_h = number(128) * exp((number(17e-3) - u) * number(1 / 18e-3)),
          beta_h = number(4000) / (one + exp((number(40e-3) - u) * number(200)));
  const V alpha_n = number(160) / exprel((number(15e-3) - u) * number(200)),
          beta_n = number(500) * exp((number(10e-3) - u) * number(25));
  const V na = number(g_na) * (m * m * m) * h, kd = number(g_kd) * ((n * n) * (n * n));
  const V current =
      number(gl) * (number(-60e-3) - v) - na * (v - number(50e-3)) - kd * (v + number(90e-3)) - ge * v + gi * (number(-80e-3) - v);
  out[0] = v + current * number(dt / Cm) * exprel((number(gl) + na + kd + ge + gi) * number(-dt / Cm));
  const auto gate = [&](V x, V alpha, V beta) __attribute__((always_inline)) {
    return x + number(dt) * (alpha * (one - x) - beta * x) * exprel(number(-dt) * (alpha + beta));
  };
  out[1] = gate(m, alpha_m, beta_m);
  out[2] = gate(h, alpha_h, beta_h);
  out[3] = gate(n, alpha_n, beta_n);
  out[4] = ge * number(0.98019867330675525);  // e^-0.02
  out[5] = gi * number(0.99004983374916811);  // e^-0.01
}
void cobahh(const std::vector<std::vector<double>>& in, std::vector<std::vector<double>>& out) {
  for (std::size_t i = 0; i < num_lanes; ++i) {
    std::array<double, 6> from{}, to{};
    for (std::size_t k = 0; k < 6; ++k) from[k] = in[k][i];
    step_cobahh(from, to);
    for (std::size_t k = 0; k < 6; ++k) out[k][i] = to[k];
  }
}
HARTLINE_CLONES void cobahh_by_vectors(const std::vector<std::vector<double>>& in, std::vector<std::vector<double>>& out) {
  static_assert(num_lanes % numerics::num_lanes == 0);
  for (std::size_t i = 0; i < num_lanes; i += numerics::num_lanes) {
    std::array<Lanes, 6> from{}, to{};
    for (std::size_t k = 0; k < 6; ++k) from[k] = numerics::load(&in[k][i]);
    step_cobahh(from, to);
    for (std::size_t k = 0; k < 6; ++k) numerics::store(&out[k][i], to[k]);
  }
}

/// A number that counts what is added, multiplied and divided on its way, as the functions of kernels are written.
struct Counted {
  double v = 0;
  static inline double operations = 0;
};
Counted counted(double v, double operations = 1) {
  Counted::operations += operations;
  return {v};
}
Counted operator-(Counted a, Counted b) { return counted(a.v - b.v); }
Counted operator*(Counted a, Counted b) { return counted(a.v * b.v); }
Counted operator/(Counted a, Counted b) { return counted(a.v / b.v); }
Counted like(Counted, double c) { return {c}; }
bool less(Counted a, Counted b) { return a.v < b.v; }
bool unequal(Counted a, Counted b) { return a.v != b.v; }
Counted choose(bool mask, Counted a, Counted b) { return mask ? a : b; }
Counted multiply_add(Counted a, Counted b, Counted c) { return counted(a.v * b.v + c.v, 2); }
struct Whole {
  int k = 0;
};
Whole integers(Counted) { return {}; }
Counted round_to_int(Counted v, Counted factor, Whole& k) {
  k.k = static_cast<int>(std::nearbyint(v.v * factor.v));
  return counted(k.k, 3);
}
Counted power_of_two(Whole k, int more) { return {std::ldexp(1, k.k + more)}; }
Counted scaled(Counted v, Counted, Whole k) { return counted(std::ldexp(v.v, k.k)); }

/// Additions, multiplications and divisions of one lane.
double operations_of(const equations::Graph& graph, std::span<const Id> outputs) {
  Counted::operations = 0;
  double total = 0;
  equations::for_each_needed(graph, outputs, [&](Id id) {
    const equations::Node& node = graph.at(id);
    using equations::Op;
    if (node.op == Op::constant || node.op == Op::symbol) return;
    if (node.op == Op::exp) {
      equations::math::exp(Counted{0.5});
    } else if (node.op == Op::exprel) {
      equations::math::exprel(Counted{0.5});
    } else if (node.op == Op::divide && graph.is_constant(node.args[1])) {
      total += 3;  // two products and a sum
    } else if (node.op == Op::power) {
      const double e = graph.at(node.args[1]).value;  // a whole number, by squaring
      total += std::floor(std::log2(e)) + std::popcount(static_cast<unsigned>(e)) - 1;
    } else if (node.op <= Op::negate) {
      ++total;
    } else {
      throw std::runtime_error("an operation that is not counted");
    }
  });
  return total + Counted::operations;
}

struct Case {
  const char* name;
  const char* text;
  std::vector<const char*> outputs;
  std::vector<std::pair<double, double>> ranges;  // of the symbols
  bool first_varies;
  Scalar scalar;
  double max_ms;
  Scalar by_vectors = nullptr;
};

double least(const std::vector<double>& sample) { return *std::min_element(sample.begin(), sample.end()); }

void measure(const Case& c, Rows& rows) {
  equations::Program program = equations::read_program(c.text, c.name);
  erase_units(program);
  simplify(program);
  std::vector<Id> outputs;
  for (const char* name : c.outputs) outputs.push_back(program.find(name));
  std::vector<bool> varies(program.graph.num_symbols(), true);
  varies[0] = c.first_varies;

  std::vector<double> compile_ms;
  std::unique_ptr<const Kernel> compiled;
  for (int k = 0; k < 16; ++k) {
    const double begin = thread_ms();
    compiled = make_compiled(program.graph, outputs, varies);
    compile_ms.push_back(thread_ms() - begin);
  }
  const double first = compile_ms.front();
  compile_ms.erase(compile_ms.begin());
  const auto interpreter = make_interpreter(program.graph, outputs, varies);

  std::vector<std::vector<double>> in;
  std::vector<Input> inputs;
  for (std::size_t s = 0; s < c.ranges.size(); ++s) {
    Stream stream(s, Purpose::test);
    const auto [low, high] = c.ranges[s];
    in.emplace_back();
    for (std::size_t i = 0; i < num_lanes; ++i) in.back().push_back(low + (high - low) * stream.uniform());
  }
  for (std::size_t s = 0; s < in.size(); ++s) inputs.push_back({in[s].data(), 1, varies[s] ? 1u : 0u});
  const auto columns = [&] { return std::vector<std::vector<double>>(outputs.size(), std::vector<double>(num_lanes)); };
  auto by_code = columns(), by_interpreter = columns(), by_libm = columns(), by_vectors = columns();
  constexpr int repeats = 5;
  const auto time_ns = [](auto&& body) {
    const double begin = thread_ms();
    for (int k = 0; k < repeats; ++k) body();
    return (thread_ms() - begin) * 1e6 / (repeats * static_cast<double>(num_lanes));
  };
  const auto run = [&](const Kernel& kernel, std::vector<std::vector<double>>& out) {
    std::vector<double*> to;
    for (auto& one : out) to.push_back(one.data());
    return time_ns([&] { kernel.run(inputs, num_lanes, to); });
  };
  std::vector<double> code_ns, interpreter_ns, libm_ns, vectors_ns;
  for (int k = 0; k < 301; ++k) {  // short and in turns: the best of each is what it takes where nothing else runs
    code_ns.push_back(run(*compiled, by_code));
    interpreter_ns.push_back(run(*interpreter, by_interpreter));
    libm_ns.push_back(time_ns([&] { c.scalar(in, by_libm); }));
    if (c.by_vectors) vectors_ns.push_back(time_ns([&] { c.by_vectors(in, by_vectors); }));
  }

  double off = 0;  // of the largest number of an output: some cross zero
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    double largest = 0, farthest = 0;
    for (std::size_t i = 0; i < num_lanes; ++i) {
      largest = std::max(largest, std::abs(by_libm[k][i]));
      farthest = std::max(farthest, std::abs(by_code[k][i] - by_libm[k][i]));
      if (c.by_vectors) farthest = std::max(farthest, std::abs(by_vectors[k][i] - by_libm[k][i]));
    }
    off = std::max(off, farthest / largest);
  }
  const bool right = by_code == by_interpreter && off < 1e-13;
  const std::string answer = fmt::format("compiled and interpreted {}; from libm by {:.1e} at most",
                                         by_code == by_interpreter ? "have the same bits" : "differ", off);
  const std::string name = fmt::format("compile/{}", c.name);
  const double ms = median(compile_ms);
  rows.push_back({name,
                  "compile",
                  ms,
                  "ms",
                  "",
                  {},
                  {},
                  fmt::format("<= {:g}", c.max_ms),
                  ms <= c.max_ms,
                  "",
                  true,
                  right,
                  fmt::format("{}; first {:.1f} ms, with what LLVM prepares once", answer, first)});
  const double ours = least(code_ns);
  for (const auto& [peer, ns] : {std::pair{"interpreter", least(interpreter_ns)}, {"scalar loop with libm", least(libm_ns)}})
    rows.push_back({name, "run", ours, "ns/lane", peer, ns, ns / ours, "ratio >= 1", ns >= ours, "", true, right, answer});
  if (c.by_vectors) {
    const double ns = least(vectors_ns);
    rows.push_back({name, "run", ours, "ns/lane", "loop over vectors by hand, same functions", ns, ns / ours, "ratio >= 0.75",
                    ns >= 0.75 * ours, "<= 15", ours <= 15, right, answer});
  }
  const double operations = operations_of(program.graph, outputs), rate = operations / ours, most = multiply_add_rate();
  double numbers = static_cast<double>(outputs.size());
  for (const bool one : varies) numbers += one;
  rows.push_back(
      {name, "run", rate, "Gflop/s", "most that the thread multiplies and adds", most, rate / most, "", true, "", true, right,
       fmt::format("{:.0f} operations and {:.0f} bytes a lane, {:.1f} GB/s; plain read of as many {:.1f} GB/s", operations,
                   8 * numbers, 8 * numbers / ours, read_bandwidth(static_cast<std::size_t>(8 * numbers) * num_lanes))});
}

}  // namespace

Rows compile_rows() {
  Rows rows;
  measure({"tuning_curve",
           equations::tuning_curve_text,
           {"count"},
           {{0, 1}, {-10, 10}, {1, 4}, {10, 60}, {1, 5}},
           false,
           tuning_curve,
           15},
          rows);
  measure({"hodgkin_huxley",
           equations::hodgkin_huxley_text,
           {"v_next", "m_next", "h_next", "n_next", "ge_next", "gi_next"},
           {{-90, 40}, {0.01, 0.99}, {0.01, 0.99}, {0.01, 0.99}, {1, 60}, {1, 60}},
           true,
           hodgkin_huxley,
           60},
          rows);
  measure({"cobahh",
           equations::cobahh_text,
           {"v_next", "m_next", "h_next", "n_next", "ge_next", "gi_next"},
           {{-90e-3, 40e-3}, {0.01, 0.99}, {0.01, 0.99}, {0.01, 0.99}, {1e-9, 60e-9}, {1e-9, 60e-9}},
           true,
           cobahh,
           60,
           cobahh_by_vectors},
          rows);
  return rows;
}

}  // namespace hartline::bench
