// Whether kernels allocate once they are warm.
#include "counted_allocations.hpp"
#include "equations/classic_texts.hpp"
#include "equations/kernel_laws.hpp"

namespace hartline::equations {
namespace {

TEST(Kernels, RunWithoutAllocating) {
#ifdef HARTLINE_SANITIZED
  GTEST_SKIP() << "a sanitizer has its own malloc, which cannot be counted";
#endif
  Program program = read_program(hodgkin_huxley_text, "text");
  erase_units(program);
  simplify(program);
  const std::vector<Id> outputs = program.roots();
  const std::vector<bool> varies(program.graph.num_symbols(), true);
  const laws::Given given(program.graph, varies, 1000, [](Stream& stream) { return stream.uniform(); });
  std::vector<Input> strided = given.inputs;
  for (Input& input : strided) input.lane_stride = 2;
  std::vector<std::vector<double>> out(outputs.size(), std::vector<double>(1000));
  std::vector<double*> to;
  for (auto& one : out) to.push_back(one.data());
  std::vector<std::shared_ptr<const Kernel>> kernels{make_interpreter(program.graph, outputs, varies)};
  if (missing_compiler().empty()) kernels.push_back(make_compiled(program.graph, outputs, varies));
  for (const auto& kernel : kernels) {
    kernel->run(given.inputs, 1, to);  // the thread's first call
    realtime::begin_to_count();
    for (const std::size_t num : {1u, 7u, 64u, 500u, 1000u}) kernel->run(given.inputs, num, to);
    for (const std::size_t num : {1u, 7u, 64u, 500u}) kernel->run(strided, num, to);
    std::int64_t num = 0;
    for (const realtime::ThreadCount& count : realtime::end_to_count()) num += count.num;
    EXPECT_EQ(num, 0) << (kernel == kernels[0] ? "interpreted" : "compiled");
  }
}

}  // namespace
}  // namespace hartline::equations
