// Which executor a kernel gets, and the kernels that are kept.
#include "equations/kernel.hpp"

#include <dlfcn.h>

#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "equations/compiled.hpp"

namespace hartline::equations {

namespace {

constexpr std::size_t max_work = 5000;  // of one kernel that is compiled, which takes half a second then
constexpr std::size_t max_kept = 256;   // kernels

/// The module with the compiler, from beside the program or from where the build put it (RPATH).
struct Compiler {
  Compiler() {
    if (std::getenv("HARTLINE_INTERPRET")) {
      missing = "HARTLINE_INTERPRET asks for the interpreter";
      return;
    }
#ifdef HARTLINE_COMPILER
    if (void* module = dlopen(HARTLINE_COMPILER, RTLD_NOW | RTLD_LOCAL))
      compile = reinterpret_cast<Compile>(dlsym(module, "hartline_compile"));
    if (!compile) missing = dlerror();
#else
    missing = "this was built without LLVM";
#endif
  }
  Compile compile = nullptr;
  std::string missing;
};

const Compiler& compiler() {
  static const Compiler one;
  return one;
}

/// What a kernel does, whatever graph it comes from: needed nodes numbered in the order of need.
std::vector<std::uint64_t> key_of(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies) {
  std::vector<std::uint64_t> key{graph.num_symbols()};
  std::vector<std::uint64_t> number(graph.num_nodes());
  std::uint64_t num = 0;
  for_each_needed(graph, outputs, [&](Id id) {
    const Node& node = graph.at(id);
    number[id] = num++;
    const std::size_t num_args = node.num_args();
    key.push_back(static_cast<std::uint64_t>(node.op) << 32 | num_args);
    key.push_back(node.symbol);
    key.push_back(std::bit_cast<std::uint64_t>(node.value));
    for (std::size_t k = 0; k < num_args; ++k) key.push_back(number[node.args[k]]);
    if (node.op != Op::symbol && node.op != Op::element) return;
    key.push_back(varies[node.symbol]);
    key.push_back(graph.symbol(node.symbol).shape.size());
    for (const std::size_t size : graph.symbol(node.symbol).shape) key.push_back(size);
  });
  for (const Id id : outputs) key.push_back(number[id]);
  key.push_back(outputs.size());
  return key;
}

std::mutex one_at_a_time;

std::unique_ptr<const Kernel> compiled(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies) {
  std::unique_ptr<const Kernel> made;
  std::string error;
  compiler().compile({graph, outputs, varies, products_are_fused(), [](Op op) { return function_of(op).value; }, made, error});
  if (!made) throw InternalError("equations: " + error);
  return made;
}

}  // namespace

const std::string& missing_compiler() { return compiler().missing; }

std::unique_ptr<const Kernel> make_compiled(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies) {
  if (!missing_compiler().empty()) throw RunError({"equations", "a compiler", missing_compiler(), ""});
  const std::lock_guard lock(one_at_a_time);
  return compiled(graph, outputs, varies);
}

std::shared_ptr<const Kernel> make_kernel(const Graph& graph, std::span<const Id> outputs, const std::vector<bool>& varies) {
  if (!missing_compiler().empty()) return make_interpreter(graph, outputs, varies);
  std::size_t work = 0;  // a function is about as long as ten operators
  for_each_needed(graph, outputs, [&](Id id) {
    const Node& node = graph.at(id);
    const bool is_function = node.op >= Op::exp || (node.op == Op::power && !graph.is_constant(node.args[1]));
    work += is_function ? 10 : 1;
  });
  if (work > max_work) return make_interpreter(graph, outputs, varies);
  std::vector<std::uint64_t> key = key_of(graph, outputs, varies);
  static auto& kept = *new std::map<std::vector<std::uint64_t>, std::shared_ptr<const Kernel>>;  // may be needed until the very end
  const std::lock_guard lock(one_at_a_time);
  if (const auto found = kept.find(key); found != kept.end()) return found->second;
  std::shared_ptr<const Kernel> kernel = compiled(graph, outputs, varies);
  if (kept.size() >= max_kept) std::erase_if(kept, [](const auto& one) { return one.second.use_count() == 1; });
  kept.emplace(std::move(key), kernel);
  return kernel;
}

}  // namespace hartline::equations
