#include "loop/subject.hpp"

namespace hartline::loop {

namespace {

class RemoteSubject final : public Subject {
 public:
  explicit RemoteSubject(const Clock& clock) : clock_(clock), start_ns_(clock.now_ns()) {}

  void request(Trial& trial) const override {
    trial.requested.clock.assign("engine");
    trial.requested.time_ns = clock_.now_ns() - start_ns_;
  }
  void present(std::span<const double>, Trial& trial) override { show_as_requested(trial); }
  bool next_answer(bool, Answer&) override { return false; }
  void resume_after(const Trial& last, std::int64_t gap_ns) override {
    start_ns_ = clock_.now_ns() - last.requested.time_ns - gap_ns;
  }

 private:
  const Clock& clock_;
  std::int64_t start_ns_;
};

}  // namespace

std::unique_ptr<Subject> make_remote(const Clock& clock) { return std::make_unique<RemoteSubject>(clock); }

}  // namespace hartline::loop
