// The compiler: a graph becomes one function over vectors of eight lanes, written as LLVM's intermediate code.
//
// Everything is worked out by operations whose results IEEE 754 fixes, and nothing is fused but what math_kernels.hpp says, so the
// bits are those of the interpreter, whatever LLVM does with its registers. The graph has shared what is equal already and the code
// is made of vectors from the start: no pass over the intermediate code would find anything.
#include "equations/compiled.hpp"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Support/TargetSelect.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "equations/code_lanes.hpp"
#include "equations/math_kernels.hpp"
#include "equations/order.hpp"

namespace hartline::equations {

namespace {

constexpr unsigned width = 8;  // lanes of a vector

/// Calls of what is not written in math_kernels.hpp: lane by lane, the functions that the interpreter calls.
void each_of_one(double (*f)(double), double* x) {
  for (unsigned i = 0; i < width; ++i) x[i] = f(x[i]);
}
void each_of_two(double (*f)(double, double), double* x, const double* y) {
  for (unsigned i = 0; i < width; ++i) x[i] = f(x[i], y[i]);
}

// --- a graph as a function ---------------------------------------------------------------------------------------------------

/// Writes: void kernel(const Input* inputs, int64 num, double** outputs) for num a multiple of `width`, where every symbol that
/// varies has a lane_stride of 1.
class Writer {
 public:
  Writer(const CompileRequest& request, bool scales, llvm::Module& module)
      : request_(request), graph_(request.graph), module_(module), ir_(module.getContext()), emitter_{ir_, request.fused, scales} {
    find_what_varies();
  }

  void write(const char* name) {
    llvm::Type *pointer = ir_.getPtrTy(), *whole = ir_.getInt64Ty();
    auto* type = llvm::FunctionType::get(ir_.getVoidTy(), {pointer, whole, pointer}, false);
    function_ = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module_);
    function_->addFnAttr(llvm::Attribute::NoUnwind);
    ir_.SetInsertPoint(block("before"));
    buffers_[0] = buffer();
    buffers_[1] = buffer();
    read_inputs();
    // What does not vary, once
    for (const Id id : order_)
      if (!varies_[id] && graph_.at(id).free_indices == 0 && !values_.contains(id)) append(id);

    std::vector<llvm::Value*> outputs;
    for (std::size_t k = 0; k < request_.outputs.size(); ++k)
      outputs.push_back(ir_.CreateLoad(pointer, ir_.CreateConstGEP1_64(pointer, function_->getArg(2), k)));
    llvm::BasicBlock *before = ir_.GetInsertBlock(), *test = block("test"), *lanes = block("lanes"), *end = block("end");
    ir_.CreateBr(test);
    ir_.SetInsertPoint(test);
    llvm::PHINode* first = ir_.CreatePHI(whole, 2);
    first->addIncoming(ir_.getInt64(0), before);
    ir_.CreateCondBr(ir_.CreateICmpULT(first, function_->getArg(1)), lanes, end);
    ir_.SetInsertPoint(lanes);
    first_lane_ = first;
    for (const Id id : by_functions(needed_here(graph_, request_.outputs, values_))) append(id);
    for (std::size_t k = 0; k < outputs.size(); ++k)
      ir_.CreateAlignedStore(spread(values_.at(request_.outputs[k])).value, ir_.CreateGEP(ir_.getDoubleTy(), outputs[k], first),
                             llvm::Align(8));
    first->addIncoming(ir_.CreateAdd(first, ir_.getInt64(width)), ir_.GetInsertBlock());
    ir_.CreateBr(test);
    ir_.SetInsertPoint(end);
    ir_.CreateRetVoid();
  }

  /// Symbols that vary and are read.
  std::vector<std::uint32_t> varying_symbols() const {
    std::vector<std::uint32_t> out;
    for (const auto& [symbol, from] : inputs_)
      if (request_.varies[symbol]) out.push_back(symbol);
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  struct From {
    llvm::Value *data, *element_stride;
  };

  void find_what_varies() {
    varies_.resize(graph_.num_nodes());
    for_each_needed(graph_, request_.outputs, [&](Id id) {
      const Node& node = graph_.at(id);
      order_.push_back(id);
      bool varies = (node.op == Op::symbol || node.op == Op::element) && request_.varies[node.symbol];
      for (std::size_t k = 0; k < node.num_args(); ++k) varies = varies || varies_[node.args[k]];
      varies_[id] = varies;
    });
  }

  /// Ordered by the number of functions on the way to a node: those that do not wait for each other follow each other, which is
  /// what a processor looks ahead for.
  std::vector<Id> by_functions(std::vector<Id> order) const {
    std::unordered_map<Id, std::size_t> functions;
    const auto on_the_way_to = [&](Id id) {
      const auto found = functions.find(id);
      return found == functions.end() ? 0 : found->second;
    };
    for (const Id id : order) {
      const Node& node = graph_.at(id);
      const Id in_exprel = exprel_divided_by(graph_, node);
      std::size_t most = in_exprel == no_id ? 0 : on_the_way_to(in_exprel);
      for (std::size_t k = 0; k < node.num_args(); ++k) most = std::max(most, on_the_way_to(node.args[k]));
      functions[id] = most + (node.op >= Op::exp || in_exprel != no_id ? 1 : 0);
    }
    std::stable_sort(order.begin(), order.end(), [&](Id a, Id b) { return functions[a] < functions[b]; });
    return order;
  }

  llvm::BasicBlock* block(const char* name) { return llvm::BasicBlock::Create(module_.getContext(), name, function_); }
  llvm::Type* vector_type() { return llvm::FixedVectorType::get(ir_.getDoubleTy(), width); }
  llvm::AllocaInst* buffer() {
    llvm::AllocaInst* out = ir_.CreateAlloca(vector_type());
    out->setAlignment(llvm::Align(64));
    return out;
  }
  Number number(llvm::Value* value) { return {value, &emitter_}; }
  Number number(double c) { return number(llvm::ConstantFP::get(ir_.getDoubleTy(), c)); }
  Number spread(Number v) { return v.varies() ? v : number(ir_.CreateVectorSplat(width, v.value)); }

  void read_inputs() {
    llvm::Type *pointer = ir_.getPtrTy(), *whole = ir_.getInt64Ty();
    auto* type = llvm::StructType::get(pointer, whole, whole);
    static_assert(sizeof(Input) == 3 * sizeof(double) && sizeof(std::size_t) == sizeof(std::int64_t));
    for (const Id id : order_) {
      const Node& node = graph_.at(id);
      if ((node.op != Op::symbol && node.op != Op::element) || inputs_.contains(node.symbol)) continue;
      llvm::Value* input = ir_.CreateConstGEP1_64(type, function_->getArg(0), node.symbol);
      inputs_[node.symbol] = {ir_.CreateLoad(pointer, input), ir_.CreateLoad(whole, ir_.CreateStructGEP(type, input, 1))};
    }
  }

  void append(Id id) {
    const Node& node = graph_.at(id);
    if (node.op == Op::constant)
      values_[id] = number(node.value);
    else if (node.op == Op::symbol || node.op == Op::element)
      values_[id] = read(node);
    else if (node.op == Op::sum)
      values_[id] = sum(id);
    else
      values_[id] = compute(node);
  }

  Number read(const Node& node) {
    const From from = inputs_.at(node.symbol);
    llvm::Value* at = ir_.getInt64(0);
    for (std::size_t k = 0; k < node.num_args(); ++k) {
      at = ir_.CreateMul(at, ir_.getInt64(graph_.symbol(node.symbol).shape[k]));
      at = ir_.CreateAdd(at, ir_.CreateFPToSI(values_.at(node.args[k]).value, ir_.getInt64Ty()));
    }
    at = ir_.CreateMul(at, from.element_stride);
    const bool varies = request_.varies[node.symbol];
    if (varies) at = ir_.CreateAdd(at, first_lane_);
    return number(ir_.CreateAlignedLoad(varies ? vector_type() : ir_.getDoubleTy(), ir_.CreateGEP(ir_.getDoubleTy(), from.data, at),
                                        llvm::Align(8)));
  }

  /// A loop, or the body as often as the index has values where that is little code.
  Number sum(Id id) {
    const Node& node = graph_.at(id);
    const Id body = node.args[0], index = index_in(graph_, body, node.symbol);
    const bool varies = varies_[body];
    const Number start = varies ? spread(number(0.0)) : number(0.0);
    const auto add_body = [&](Number total, Number at) {
      values_[index] = at;
      const std::vector<Id> order = needed_here(graph_, body, values_);
      for (const Id inner : order) append(inner);
      const Number out = total + (varies ? spread(values_.at(body)) : values_.at(body));
      for (const Id inner : order) values_.erase(inner);
      values_.erase(index);
      return out;
    };
    constexpr double little = 64;  // nodes
    if (node.value * static_cast<double>(needed_here(graph_, body, values_).size()) <= little) {
      Number total = start;
      for (double i = 0; i < node.value; ++i) total = add_body(total, number(i));
      return total;
    }
    llvm::BasicBlock *before = ir_.GetInsertBlock(), *loop = block("sum"), *after = block("after");
    ir_.CreateBr(loop);
    ir_.SetInsertPoint(loop);
    llvm::PHINode *at = ir_.CreatePHI(ir_.getDoubleTy(), 2), *total = ir_.CreatePHI(start.value->getType(), 2);
    at->addIncoming(number(0.0).value, before);
    total->addIncoming(start.value, before);
    const Number next_total = add_body(number(total), number(at)), next = number(at) + number(1.0);
    at->addIncoming(next.value, ir_.GetInsertBlock());
    total->addIncoming(next_total.value, ir_.GetInsertBlock());
    ir_.CreateCondBr(less(next, number(node.value)).value, loop, after);
    ir_.SetInsertPoint(after);
    return next_total;
  }

  Number compute(const Node& node) {
    std::array<Number, 3> args;
    bool varies = false;
    const Id in_exprel = exprel_divided_by(graph_, node);
    for (std::size_t k = 0; k < node.num_args(); ++k) {
      args[k] = values_.at(k == 1 && in_exprel != no_id ? in_exprel : node.args[k]);
      varies = varies || args[k].varies();
    }
    if (varies)
      for (std::size_t k = 0; k < node.num_args(); ++k) args[k] = spread(args[k]);
    const auto [a, b, c] = args;
    const Number zero = like(a, 0);
    switch (node.op) {
      case Op::add:
        return a + b;
      case Op::subtract:
        return a - b;
      case Op::multiply:
      case Op::both:
        return a * b;
      case Op::divide: {
        if (in_exprel != no_id) return math::over_exprel(a, b);
        math::Reciprocal divisor;
        if (request_.fused && graph_.is_constant(node.args[1])) divisor = math::reciprocal(graph_.at(node.args[1]).value);
        return divisor.head != 0 ? math::over(a, divisor) : a / b;
      }
      case Op::min:
        return choose(either(less(a, b), unequal(a, a)), a, b);
      case Op::max:
        return choose(either(less(b, a), unequal(a, a)), a, b);
      case Op::less:
        return truth(less(a, b), a);
      case Op::less_equal:
        return truth(less_equal(a, b), a);
      case Op::equal:
        return truth(equal(a, b), a);
      case Op::either:
        return choose(less(b, a), a, b);
      case Op::negation:
        return like(a, 1) - a;
      case Op::where:
        return choose(unequal(a, zero), b, c);
      case Op::negate:
        return -a;
      case Op::abs:
        return choose(less(a, zero), -a, a + zero);
      case Op::sign:
        return choose(less(a, zero), like(a, -1), choose(less(zero, a), like(a, 1), a));
      case Op::sqrt:
        return number(ir_.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a.value));
      case Op::exp:
        return math::exp(a);
      case Op::expm1:
        return math::expm1(a);
      case Op::exprel:
        return math::exprel(a);
      case Op::log:
        return own("log", a, [](Number x) { return math::log(x); });
      case Op::log1p:
        return own("log1p", a, [](Number x) { return math::log1p(x); });
      case Op::tanh:
        return math::tanh(a);
      case Op::logistic:
        return math::logistic(a);
      case Op::softplus:
        return math::softplus(a);
      case Op::power: {
        const double e = graph_.is_constant(node.args[1]) ? graph_.at(node.args[1]).value : 0;
        if (e >= 1 && e <= 64 && e == static_cast<int>(e)) return whole_power(a, static_cast<int>(e));
        return pow(a, b);
      }
      case Op::atan2:
        return apply(std::atan2, a, b);
      default:
        return apply(request_.function_of(node.op), a);
    }
  }

  /// By functions of the module's own, which are written once: powers are long, and a text that has one has several. Those of one
  /// base, such as a power and its derivatives, share its logarithm.
  Number pow(Number a, Number b) {
    llvm::Type *lanes = vector_type(), *two = llvm::StructType::get(lanes, lanes);
    llvm::Value *x = spread(a).value, *&log = logs_[a.value];
    if (!log)
      log = call_own("long_log", two, {x}, [&](const std::vector<Number>& in) {
        const auto [head, rest] = math::long_log(in[0]);
        return ir_.CreateInsertValue(ir_.CreateInsertValue(llvm::PoisonValue::get(two), head.value, 0), rest.value, 1);
      });
    llvm::Value *head = ir_.CreateExtractValue(log, 0), *rest = ir_.CreateExtractValue(log, 1);
    llvm::Value* out = call_own("pow", lanes, {x, spread(b).value, head, rest}, [&](const std::vector<Number>& in) {
      return math::pow(in[0], in[1], {in[2], in[3]}).value;
    });
    return number(a.varies() ? out : ir_.CreateExtractElement(out, std::uint64_t{0}));
  }
  /// A function that is called, as it would be long to compile again at every place.
  template <class Function>
  Number own(const char* name, Number a, Function f) {
    llvm::Value* out =
        call_own(name, vector_type(), {spread(a).value}, [&](const std::vector<Number>& in) { return f(in[0]).value; });
    return number(a.varies() ? out : ir_.CreateExtractElement(out, std::uint64_t{0}));
  }
  template <class Body>
  llvm::Value* call_own(const char* name, llvm::Type* out, const std::vector<llvm::Value*>& args, Body body) {
    llvm::Function* own = module_.getFunction(name);
    if (!own) {
      auto* type = llvm::FunctionType::get(out, std::vector<llvm::Type*>(args.size(), vector_type()), false);
      own = llvm::Function::Create(type, llvm::Function::InternalLinkage, name, module_);
      own->addFnAttr(llvm::Attribute::NoUnwind);
      std::vector<Number> in;
      for (llvm::Argument& arg : own->args()) in.push_back(number(&arg));
      const llvm::IRBuilderBase::InsertPointGuard back(ir_);
      ir_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "all", own));
      ir_.CreateRet(body(in));
    }
    return ir_.CreateCall(own, args);
  }

  Mask either(Mask a, Mask b) { return {ir_.CreateOr(a.value, b.value)}; }

  /// The address of a function of this process, and a call of it.
  template <class F>
  llvm::Value* address(F* f) {
    return ir_.CreateIntToPtr(ir_.getInt64(reinterpret_cast<std::uintptr_t>(f)), ir_.getPtrTy());
  }
  template <class F>
  llvm::Value* call(F* f, llvm::Type* out, std::initializer_list<llvm::Value*> args) {
    std::vector<llvm::Type*> types;
    for (const llvm::Value* arg : args) types.push_back(arg->getType());
    return ir_.CreateCall(llvm::FunctionType::get(out, types, false), address(f), args);
  }
  Number apply(double (*f)(double), Number a) {
    if (!a.varies()) return number(call(f, ir_.getDoubleTy(), {a.value}));
    ir_.CreateStore(a.value, buffers_[0]);
    call(each_of_one, ir_.getVoidTy(), {address(f), buffers_[0]});
    return number(ir_.CreateLoad(vector_type(), buffers_[0]));
  }
  Number apply(double (*f)(double, double), Number a, Number b) {
    if (!a.varies()) return number(call(f, ir_.getDoubleTy(), {a.value, b.value}));
    ir_.CreateStore(a.value, buffers_[0]);
    ir_.CreateStore(b.value, buffers_[1]);
    call(each_of_two, ir_.getVoidTy(), {address(f), buffers_[0], buffers_[1]});
    return number(ir_.CreateLoad(vector_type(), buffers_[0]));
  }

  const CompileRequest& request_;
  const Graph& graph_;
  llvm::Module& module_;
  Builder ir_;
  Emitter emitter_;
  llvm::Function* function_ = nullptr;
  llvm::Value* first_lane_ = nullptr;
  std::array<llvm::AllocaInst*, 2> buffers_{};
  std::vector<Id> order_;     // everything that is needed, arguments first
  std::vector<bool> varies_;  // by node
  std::unordered_map<std::uint32_t, From> inputs_;
  std::unordered_map<Id, Number> values_;
  std::unordered_map<llvm::Value*, llvm::Value*> logs_;  // of bases of powers
};

// --- running -----------------------------------------------------------------------------------------------------------------

using Code = void (*)(const Input* inputs, std::size_t num, double* const* outputs);

class Compiled final : public Kernel {
 public:
  Compiled(const CompileRequest& request, std::vector<std::uint32_t> varying, Code code, llvm::orc::ResourceTrackerSP memory)
      : num_outputs_(request.outputs.size()), code_(code), memory_(std::move(memory)) {
    for (const std::uint32_t symbol : varying) {
      varying_.push_back({symbol, request.graph.symbol(symbol).num()});
      num_columns_ += varying_.back().num;
    }
  }
  ~Compiled() override { llvm::consumeError(memory_->remove()); }

  void run(std::span<const Input> inputs, std::size_t num, std::span<double* const> outputs) const override {
    // The code reads and writes whole vectors where lanes follow each other; everything else goes through copies that do.
    std::size_t done = 0;
    if (std::all_of(varying_.begin(), varying_.end(), [&](const Varying& v) { return inputs[v.symbol].lane_stride == 1; })) {
      done = num / width * width;
      code_(inputs.data(), done, outputs.data());
    }
    const std::size_t columns = num_columns_ + num_outputs_;
    const std::size_t most = std::clamp<std::size_t>(4096 / std::max<std::size_t>(columns, 1) / width, 1, 32) * width;
    if (done == num) return;
    thread_local std::vector<double> copies;
    thread_local std::vector<Input> from;
    thread_local std::vector<double*> to;
    const std::size_t padded = std::min(most, (num - done + width - 1) / width * width);
    if (copies.size() < columns * most) copies.resize(columns * most);
    from.assign(inputs.begin(), inputs.end());
    to.resize(num_outputs_);
    for (; done < num; done += padded) {
      const std::size_t n = std::min(padded, num - done);
      double* column = copies.data();
      for (const Varying& v : varying_) {
        const Input& input = inputs[v.symbol];
        from[v.symbol] = {column, padded, 1};
        for (std::size_t e = 0; e < v.num; ++e, column += padded)
          for (std::size_t i = 0; i < padded; ++i)  // the last lane again and again
            column[i] = input.data[e * input.element_stride + (done + std::min(i, n - 1)) * input.lane_stride];
      }
      for (std::size_t k = 0; k < num_outputs_; ++k) to[k] = column + k * padded;
      code_(from.data(), (n + width - 1) / width * width, to.data());
      for (std::size_t k = 0; k < num_outputs_; ++k) std::copy_n(to[k], n, outputs[k] + done);
    }
  }

 private:
  struct Varying {
    std::uint32_t symbol;
    std::size_t num;
  };
  std::size_t num_outputs_, num_columns_ = 0;
  std::vector<Varying> varying_;
  Code code_;
  llvm::orc::ResourceTrackerSP memory_;
};

/// Makes machine code for this very processor. Never destroyed: kernels may outlive what is static.
class Compiler {
 public:
  static Compiler& get() {
    static Compiler* one = new Compiler;
    return *one;
  }

  llvm::Error compile(const CompileRequest& request) {
    if (!jit_) {
      llvm::InitializeNativeTarget();
      llvm::InitializeNativeTargetAsmPrinter();
      auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
      if (!machine) return machine.takeError();
      machine->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);  // neither 1 nor 3 differ in time or speed (bench/run compile)
      machine->getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict;
      scales_ = machine->getFeatures().getString().find("+avx512f") != std::string::npos;
      auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(*machine)).create();
      if (!jit) return jit.takeError();
      jit_ = std::move(*jit);
    }
    auto context = std::make_unique<llvm::LLVMContext>();
    auto module = std::make_unique<llvm::Module>("equations", *context);
    module->setDataLayout(jit_->getDataLayout());
    const std::string name = "kernel" + std::to_string(num_made_++);
    Writer writer(request, scales_, *module);
    writer.write(name.c_str());
    auto memory = jit_->getMainJITDylib().createResourceTracker();
    if (auto error = jit_->addIRModule(memory, {std::move(module), std::move(context)})) return error;
    auto code = jit_->lookup(name);
    if (!code) return code.takeError();
    request.made = std::make_unique<Compiled>(request, writer.varying_symbols(), code->toPtr<Code>(), std::move(memory));
    return llvm::Error::success();
  }

 private:
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  bool scales_ = false;
  std::size_t num_made_ = 0;
};

}  // namespace

/// Called by one thread at a time.
extern "C" __attribute__((visibility("default"))) void hartline_compile(const CompileRequest& request) {
  if (auto error = Compiler::get().compile(request)) request.error = llvm::toString(std::move(error));
}

}  // namespace hartline::equations
