// Laws of kernels: those of every executor, and that all of them are one function.
#include "equations/kernel.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.hpp"
#include "equations/classic_texts.hpp"
#include "equations/kernel_laws.hpp"

#define HARTLINE_NEEDS_COMPILER() \
  if (!missing_compiler().empty()) GTEST_SKIP() << missing_compiler()

namespace hartline::equations {
namespace {

using laws::Given;
using laws::same_bits;

const char* const texts[] = {
    tuning_curve_text,
    hodgkin_huxley_text,
    "given x[2]\ngiven theta[2, 2]\nmu = 0.1 + sum(k in 2, 1 / (1e-4 + sum(j in 2, (x[j] - theta[k, j])^2)))\ny = log(mu)\n",
    "given w[40]\ngiven x[40]\ngiven g\nrho = dot(w, x) - g * sum(x)\nrate = softplus(rho) + logistic(rho)\n",
    "given w[9, 7]\ngiven x\ny = sum(k in 9, exp(-x * sum(j in 7, w[k, j] * w[8 - k, j])) / (1 + k))\n",
    "given v[30]\ns = sum(k in 30, v[k])\nrate = sum(k in 29, exp(v[k] / s) * v[k + 1])\nall = sum(k in 30, v[k] * sum(j in 30, "
    "v[j] "
    "* v[k]) * s)\n",
    "given a\ngiven c\ny = where(a < c and not (a < 0.1), a^3 * c, max(a, c) / (1 + a)) + clip(a, 0.2, 0.4) + min(a, c)\n",
    "given a\ngiven b\ny = sin(a) * cos(2 * b) + log_gamma(abs(a) + 1) + erf(a) * erfc(b) + exprel(a) + log1p(abs(a)) * expm1(-b) "
    "+ "
    "tanh(a * b) + atan2(a, b) / 1 rad + abs(a)^b\n",
    "given g[40]\ngiven r\ngiven c\ny = sum(k in 40, g[k]^r + c^(r * k)) * c^(1 / r) + g[3]^c + g[3]^r\n",
};

Program read(const char* text) {
  Program program = read_program(text, "text");
  erase_units(program);
  simplify(program);
  return program;
}

double moderate(Stream& stream) { return 0.3 + stream.uniform(); }

/// Of all sizes and signs, with the ends of the range among them.
double anything(Stream& stream) {
  const double ends[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 5e-324, -1e-310, 1e308, -1e308, 709.5, -740, 0.5, 3, -2};
  const double u = stream.uniform();
  if (u < 0.3) return ends[stream.integer(std::size(ends))];
  const double v = u < 0.7 ? 40 * stream.normal() : std::ldexp(stream.normal(), static_cast<int>(stream.integer(120)) - 60);
  return u < 0.5 ? std::nearbyint(v) : v;
}

struct Maker {
  const char* name;
  std::shared_ptr<const Kernel> (*make)(const Graph&, std::span<const Id>, const std::vector<bool>&);
};

/// The executors that there are.
std::vector<Maker> makers() {
  std::vector<Maker> out = {{"interpreted", [](const Graph& g, std::span<const Id> o, const std::vector<bool>& v) {
                               return std::shared_ptr<const Kernel>(make_interpreter(g, o, v));
                             }}};
  if (missing_compiler().empty())
    out.push_back({"compiled", [](const Graph& g, std::span<const Id> o, const std::vector<bool>& v) {
                     return std::shared_ptr<const Kernel>(make_compiled(g, o, v));
                   }});
  return out;
}

// --- one function ------------------------------------------------------------------------------------------------------------

/// Every operator and function with a symbol that varies or not in each place, and its derivatives.
TEST(Kernels, CompiledIsInterpreted) {
  HARTLINE_NEEDS_COMPILER();
  for (auto op = static_cast<int>(Op::add); op <= static_cast<int>(Op::bessel_ratio); ++op) {
    const bool one = op >= static_cast<int>(Op::abs) || op == static_cast<int>(Op::negate) || op == static_cast<int>(Op::negation);
    const std::size_t num_args = one ? 1 : op == static_cast<int>(Op::where) ? 3 : 2;
    const bool of_truths =
        op == static_cast<int>(Op::both) || op == static_cast<int>(Op::either) || op == static_cast<int>(Op::negation);
    for (unsigned pattern = 0; pattern < 1u << num_args; ++pattern) {
      Graph graph;
      Node node;
      node.op = static_cast<Op>(op);
      for (std::size_t k = 0; k < num_args; ++k) node.args[k] = graph.symbol_value(graph.add_symbol({"x", {}, {}, ""}));
      if (of_truths || (num_args == 3))
        for (std::size_t k = 0; k < (of_truths ? num_args : 1); ++k)
          node.args[k] = graph.apply(Op::less, graph.constant(0), node.args[k]);
      std::vector<Id> outputs{graph.plain(node)};
      if (node.op != Op::trigamma && !of_truths && !(node.op >= Op::less && node.op <= Op::equal))
        for (std::uint32_t s = 0; s < num_args; ++s) outputs.push_back(derivative(graph, outputs[0], {s, 0}));
      std::vector<bool> varies(num_args);
      for (std::size_t k = 0; k < num_args; ++k) varies[k] = pattern >> k & 1u;
      laws::expect_compiled_is_interpreted(graph, outputs, varies, pattern == 0 ? 3 : 5000, anything,
                                           "operation " + std::to_string(op));
    }
  }
}

TEST(Kernels, CompiledTextsAndGradientsAreInterpreted) {
  HARTLINE_NEEDS_COMPILER();
  for (const char* text : texts)
    for (const auto& draw : {moderate, anything}) {
      Program program = read(text);
      laws::expect_compiled_is_interpreted(program, 203, draw, text);
    }
}

TEST(Kernels, CompiledWholePowersAreInterpreted) {
  HARTLINE_NEEDS_COMPILER();
  Graph graph;
  const Id x = graph.symbol_value(graph.add_symbol({"x", {}, {}, ""}));
  std::vector<Id> outputs;
  for (const double e : {1.0, 2.0, 3.0, 7.0, 30.0, 64.0, 65.0, 0.5, -1.0, 0.0})
    outputs.push_back(graph.plain(make_node(Op::power, {x, graph.constant(e)})));
  laws::expect_compiled_is_interpreted(graph, outputs, {true}, 1000, anything, "powers");
}

TEST(Kernels, CompiledPowersAreInterpreted) {
  HARTLINE_NEEDS_COMPILER();
  Graph graph;
  const Id x = graph.symbol_value(graph.add_symbol({"x", {}, {}, ""})), y = graph.symbol_value(graph.add_symbol({"y", {}, {}, ""}));
  std::vector<Id> outputs{graph.power(x, y), graph.power(y, x)};
  for (const double e : {-2.5, 1.0 / 3, 1e-9, -1e15, 0x1p53 - 1}) {
    outputs.push_back(graph.power(x, graph.constant(e)));
    outputs.push_back(graph.plain(make_node(Op::power, {graph.constant(e), y})));
  }
  const auto near_one_or_huge = [](Stream& stream) {
    const double off = std::ldexp(stream.normal(), -static_cast<int>(stream.integer(52)));
    return stream.uniform() < 0.5 ? 1 + off : 1 / off;
  };
  for (const auto& [a, b] : {std::pair{true, true}, {true, false}, {false, true}, {false, false}})
    for (const std::function<double(Stream&)>& draw : {std::function<double(Stream&)>(moderate), {anything}, {near_one_or_huge}})
      laws::expect_compiled_is_interpreted(graph, outputs, {a, b}, 5000, draw, "powers");
}

/// Trees of any operations over two symbols that vary, one that does not, a vector of each kind, and sums inside sums.
class Tree {
 public:
  explicit Tree(std::uint64_t seed) : stream_(seed, Purpose::test) {
    for (const char* name : {"x", "y", "p"}) graph.add_symbol({name, {}, {}, ""});
    graph.add_symbol({"v", {5}, {}, ""});
    graph.add_symbol({"w", {4, 5}, {}, ""});
    for (int k = 0; k < 3; ++k) outputs.push_back(node(5, 0));
  }
  Graph graph;
  std::vector<Id> outputs;

 private:
  Id leaf(std::uint32_t sums) {
    const auto kind = stream_.integer(sums > 0 ? 7 : 5);
    if (kind < 3) return graph.symbol_value(static_cast<std::uint32_t>(kind));
    if (kind == 3) return graph.constant(std::nearbyint(8 * stream_.normal()) / 4);
    const Id fixed = graph.constant(static_cast<double>(stream_.integer(4)));
    const Id index = sums > 0 ? graph.index(static_cast<std::uint32_t>(stream_.integer(sums))) : fixed;
    if (kind == 6) return index;
    const Id both[] = {stream_.uniform() < 0.5 ? fixed : index, index};
    return stream_.uniform() < 0.5 ? graph.element(3, {both, 1}) : graph.element(4, both);
  }
  Id node(int depth, std::uint32_t sums) {
    if (depth == 0) return leaf(sums);
    const auto any = [&](Op first, Op last) {
      return static_cast<Op>(static_cast<std::int64_t>(first) +
                             stream_.integer(static_cast<std::int64_t>(last) - static_cast<std::int64_t>(first) + 1));
    };
    const double u = stream_.uniform();
    if (u < 0.1 && sums < 2) return graph.sum(sums, static_cast<double>(1 + stream_.integer(4)), node(depth - 1, sums + 1));
    if (u < 0.2) {
      const Id condition = graph.apply(any(Op::less, Op::equal), node(depth - 2 < 0 ? 0 : depth - 2, sums), leaf(sums));
      return graph.plain(make_node(Op::where, {condition, node(depth - 1, sums), node(depth - 1, sums)}));
    }
    if (u < 0.6) return graph.plain(make_node(any(Op::add, Op::atan2), {node(depth - 1, sums), node(depth - 1, sums)}));
    return graph.plain(make_node(any(Op::abs, Op::bessel_ratio), {node(depth - 1, sums)}));
  }
  Stream stream_;
};

TEST(Kernels, CompiledTreesAreInterpreted) {
  HARTLINE_NEEDS_COMPILER();
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Tree tree(seed);
    const bool v = seed % 2, w = seed % 3 == 0;
    laws::expect_compiled_is_interpreted(tree.graph, tree.outputs, {true, true, false, v, w}, 61, seed % 4 ? moderate : anything,
                                         "tree " + std::to_string(seed));
  }
}

// --- every executor ----------------------------------------------------------------------------------------------------------

TEST(Kernels, ALaneHasTheSameBitsAnywhere) {
  for (const Maker& maker : makers())
    for (const char* text : texts) {
      const Program program = read(text);
      const std::vector<Id> outputs = program.roots();
      std::vector<bool> varies(program.graph.num_symbols(), true);
      varies[0] = program.graph.num_symbols() == 1;
      const auto kernel = maker.make(program.graph, outputs, varies);
      constexpr std::size_t num = 600;
      const Given given(program.graph, varies, num, moderate);
      const auto all = laws::run(*kernel, given.inputs, outputs.size(), num);
      for (const std::size_t count : {1u, 2u, 5u, 8u, 13u, 31u, 300u})
        for (const std::size_t first : {0u, 1u, 3u, 8u, 255u, 299u}) {
          std::vector<Input> inputs = given.inputs;
          for (std::size_t s = 0; s < inputs.size(); ++s) inputs[s].data += first * inputs[s].lane_stride;
          const auto part = laws::run(*kernel, inputs, outputs.size(), count);
          for (std::size_t k = 0; k < outputs.size(); ++k)
            for (std::size_t i = 0; i < count; ++i)
              ASSERT_TRUE(same_bits(part[k][i], all[k][first + i])) << maker.name << ' ' << first << '+' << i << ' ' << text;
        }
    }
}

TEST(Kernels, OneTwoAndEightThreadsGiveTheSameBits) {
  for (const Maker& maker : makers()) {
    const Program program = read(hodgkin_huxley_text);
    const std::vector<Id> outputs = program.roots();
    const std::vector<bool> varies(program.graph.num_symbols(), true);
    const auto kernel = maker.make(program.graph, outputs, varies);
    constexpr std::size_t num = 5000;
    const Given given(program.graph, varies, num, moderate);
    const auto serial = laws::run(*kernel, given.inputs, outputs.size(), num);
    for (const std::size_t num_threads : {2u, 8u}) {
      std::vector<std::vector<double>> out(outputs.size(), std::vector<double>(num));
      std::vector<std::thread> threads;
      std::atomic<std::size_t> next{0};
      for (std::size_t t = 0; t < num_threads; ++t)
        threads.emplace_back([&] {
          constexpr std::size_t piece = 37;
          for (std::size_t first; (first = next.fetch_add(piece)) < num;) {
            std::vector<Input> inputs = given.inputs;
            for (Input& input : inputs) input.data += first;
            std::vector<double*> to;
            for (auto& one : out) to.push_back(one.data() + first);
            kernel->run(inputs, std::min(piece, num - first), to);
          }
        });
      for (std::thread& thread : threads) thread.join();
      for (std::size_t k = 0; k < outputs.size(); ++k)
        for (std::size_t i = 0; i < num; ++i) ASSERT_TRUE(same_bits(out[k][i], serial[k][i])) << maker.name;
    }
  }
}

TEST(Kernels, ReadLanesAtAnyStride) {
  for (const Maker& maker : makers()) {
    const Program program = read(texts[3]);
    const std::vector<Id> outputs = program.roots();
    const std::vector<bool> varies = {true, false, true};
    const auto kernel = maker.make(program.graph, outputs, varies);
    constexpr std::size_t num = 77, dim = 41;
    const Given given(program.graph, varies, num, moderate);
    const auto wanted = laws::run(*kernel, given.inputs, outputs.size(), num);
    std::vector<double> rows(num * dim);  // lane by lane: w, then g
    for (std::size_t i = 0; i < num; ++i) {
      for (std::size_t e = 0; e < 40; ++e) rows[i * dim + e] = given.data[0][e * num + i];
      rows[i * dim + 40] = given.data[2][i];
    }
    const Input inputs[] = {{rows.data(), 1, dim}, given.inputs[1], {rows.data() + 40, 1, dim}};
    const auto got = laws::run(*kernel, inputs, outputs.size(), num);
    for (std::size_t k = 0; k < outputs.size(); ++k)
      for (std::size_t i = 0; i < num; ++i) ASSERT_TRUE(same_bits(got[k][i], wanted[k][i])) << maker.name << ' ' << i;
  }
}

/// A run of doubles that ends, or begins, where memory does.
class AtTheEdge {
 public:
  AtTheEdge(std::size_t num, bool at_end) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    const std::size_t bytes = num * sizeof(double), inside = (bytes + page_ - 1) / page_ * page_;
    size_ = inside + 2 * page_;
    memory_ = static_cast<char*>(mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory_ == MAP_FAILED || mprotect(memory_ + page_, inside, PROT_READ | PROT_WRITE) != 0) throw RunError("no memory");
    data = reinterpret_cast<double*>(memory_ + page_ + (at_end ? inside - bytes : 0));
  }
  AtTheEdge(const AtTheEdge&) = delete;
  AtTheEdge& operator=(const AtTheEdge&) = delete;
  ~AtTheEdge() { munmap(memory_, size_); }
  double* data = nullptr;

 private:
  std::size_t page_, size_ = 0;
  char* memory_ = nullptr;
};

TEST(Kernels, TailsOfEveryLengthStayInsideTheirArrays) {
  for (const Maker& maker : makers()) {
    const Program program = read(tuning_curve_text);
    const std::vector<Id> outputs = program.roots();
    const std::vector<bool> varies = {false, true, true, true, true};
    const auto kernel = maker.make(program.graph, outputs, varies);
    const Given given(program.graph, varies, 40, moderate);
    const auto wanted = laws::run(*kernel, given.inputs, outputs.size(), 40);
    for (const bool at_end : {false, true})
      for (std::size_t num = 0; num <= 40; ++num) {
        std::vector<std::unique_ptr<AtTheEdge>> memory;
        std::vector<Input> inputs;
        for (std::size_t s = 0; s < varies.size(); ++s) {
          const std::size_t lanes = varies[s] ? num : 1;
          memory.push_back(std::make_unique<AtTheEdge>(lanes, at_end));
          std::copy_n(given.data[s].data(), lanes, memory.back()->data);
          inputs.push_back({memory.back()->data, 1, given.inputs[s].lane_stride});
        }
        std::vector<double*> to;
        for (std::size_t k = 0; k < outputs.size(); ++k) {
          memory.push_back(std::make_unique<AtTheEdge>(num, at_end));
          to.push_back(memory.back()->data);
        }
        kernel->run(inputs, num, to);
        for (std::size_t k = 0; k < outputs.size(); ++k)
          for (std::size_t i = 0; i < num; ++i) ASSERT_TRUE(same_bits(to[k][i], wanted[k][i])) << maker.name << ' ' << num;
      }
  }
}

TEST(Kernels, AddUpInTheOrderOfTheIndex) {
  for (const Maker& maker : makers())
    for (const std::size_t n : {3u, 1000u}) {  // written out, and as a loop
      const Program program =
          read(("given w[" + std::to_string(n) + "]\ngiven x\ny = sum(k in " + std::to_string(n) + ", w[k] * x)\n").c_str());
      const Id out = program.find("y");
      for (const bool w : {false, true}) {
        const auto kernel = maker.make(program.graph, {&out, 1}, {w, true});
        const Given given(program.graph, {w, true}, 11, moderate);
        const auto got = laws::run(*kernel, given.inputs, 1, 11);
        for (std::size_t i = 0; i < 11; ++i) {
          double total = 0;
          for (std::size_t k = 0; k < n; ++k) total += given.data[0][w ? k * 11 + i : k] * given.data[1][i];
          EXPECT_EQ(got[0][i], total) << maker.name << ' ' << n;
        }
      }
    }
}

TEST(Kernels, OutputsMayTakeThePlaceOfInputs) {
  // a rotation: each output needs both inputs
  Graph graph;
  const std::uint32_t a = graph.add_symbol({"a", {}, {}, ""}), b = graph.add_symbol({"b", {}, {}, ""}),
                      c = graph.add_symbol({"c", {}, {}, ""});
  const Id x = graph.symbol_value(a), y = graph.symbol_value(b), f = graph.symbol_value(c);
  const std::vector<Id> outputs{graph.subtract(graph.multiply(f, x), y), graph.add(x, graph.multiply(f, y))};
  for (const auto& [name, make] : makers())
    for (const std::size_t num : {1u, 7u, 8u, 1000u, 1003u}) {
      const auto kernel = make(graph, outputs, {true, true, false});
      std::vector<double> u(num), v(num), p(num), q(num);
      for (std::size_t i = 0; i < num; ++i)
        p[i] = u[i] = std::sin(static_cast<double>(i)), q[i] = v[i] = std::cos(static_cast<double>(3 * i));
      const double factor = 0.7;
      double* const apart[] = {p.data(), q.data()};
      kernel->run(std::vector<Input>{{u.data(), 1, 1}, {v.data(), 1, 1}, {&factor, 1, 0}}, num, apart);
      double* const in_place[] = {u.data(), v.data()};
      kernel->run(std::vector<Input>{{u.data(), 1, 1}, {v.data(), 1, 1}, {&factor, 1, 0}}, num, in_place);
      EXPECT_EQ(u, p) << name << ", " << num;
      EXPECT_EQ(v, q) << name << ", " << num;
    }
}

TEST(Kernels, EqualExpressionsShareOneKernel) {
  HARTLINE_NEEDS_COMPILER();
  const Program a = read(tuning_curve_text), c = read("given q\ngiven x\ny = q * x\n"),
                d = read("given q\ngiven x\ny = q * x + 1\n");
  Program b =
      read_program(std::string("given x : deg\nunused = 3 * exp(7)\n") + (tuning_curve_text + sizeof("given x : deg")), "text");
  erase_units(b);
  simplify(b);
  const std::vector<bool> all(5, true), not_first = {false, true, true, true, true};
  const Id count_a = a.find("count"), count_b = b.find("count"), rate_a = a.find("rate"), y_c = c.find("y"), y_d = d.find("y");
  const auto kernel = make_kernel(a.graph, {&count_a, 1}, all);
  EXPECT_EQ(make_kernel(b.graph, {&count_b, 1}, all), kernel);
  EXPECT_NE(make_kernel(a.graph, {&count_a, 1}, not_first), kernel);
  EXPECT_NE(make_kernel(a.graph, {&rate_a, 1}, all), kernel);
  EXPECT_NE(make_kernel(c.graph, {&y_c, 1}, {true, true}), make_kernel(d.graph, {&y_d, 1}, {true, true}));
  std::vector<std::thread> threads;
  std::vector<std::shared_ptr<const Kernel>> made(8);
  for (std::size_t t = 0; t < made.size(); ++t)
    threads.emplace_back([&, t] { made[t] = make_kernel(a.graph, std::vector<Id>{count_a, rate_a}, all); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& one : made) EXPECT_EQ(one, made[0]);
}

TEST(Kernels, ThoseThatAreKeptAreNotTooMany) {
  HARTLINE_NEEDS_COMPILER();
  std::weak_ptr<const Kernel> first;
  const auto make = [](int k) {
    Graph graph;
    const Id out = graph.add(graph.symbol_value(graph.add_symbol({"x", {}, {}, ""})), graph.constant(1000 + k));
    return make_kernel(graph, {&out, 1}, {true});
  };
  first = make(0);
  const auto held = make(1);
  for (int k = 2; k < 300; ++k) make(k);
  EXPECT_TRUE(first.expired());
  const double x = 1;
  const Input input{&x, 1, 1};
  EXPECT_EQ(laws::run(*held, {&input, 1}, 1, 1)[0][0], 1002);
}

TEST(Kernels, HugeExpressionsAreInterpreted) {
  std::string text = "given x\nk0 = x\n";
  for (int k = 1; k < 2500; ++k) text += "k" + std::to_string(k) + " = sin(k" + std::to_string(k - 1) + ") + x\n";
  Program program = read_program(text, "text");
  const Id out = program.find("k2499");
  const auto kernel = make_kernel(program.graph, {&out, 1}, {true});
  if (missing_compiler().empty()) {
    EXPECT_NE(make_kernel(program.graph, {&out, 1}, {true}), kernel);  // what is compiled is kept
  }
  const double x = 0.5;
  const Input input{&x, 1, 1};
  double wanted = x;
  for (int k = 1; k < 2500; ++k) wanted = std::sin(wanted) + x;
  EXPECT_EQ(laws::run(*kernel, {&input, 1}, 1, 1)[0][0], wanted);
}

}  // namespace
}  // namespace hartline::equations
