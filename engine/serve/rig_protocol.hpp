// What a rig and the engine say to each other: one line of JSON in, one line out (docs/rig-protocol.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/record.hpp"
#include "base/value.hpp"
#include "loop/run.hpp"

namespace hartline::serve {

constexpr std::int64_t rig_protocol = 1;  // its version

/// Where the engine's clock stands against another, known from an exchange of messages alone.
///
/// A message that left the rig at its time c, after the engine's last reply at e1 and before it came in at e2, bounds the offset
/// (engine minus rig) by [e1 - c, e2 - c], whatever the delays. The bounds of all messages are intersected; with age they widen by
/// 100 parts in a million, more than two clocks part.
class ClockOffset {
 public:
  /// Returns false where the bounds contradict each other: a clock was set. The new ones are then taken.
  bool add(std::int64_t last_reply_ns, std::int64_t rig_ns, std::int64_t received_ns);
  bool known() const { return known_; }
  std::int64_t offset_ns() const { return low_ + (high_ - low_) / 2; }
  /// Largest error of offset_ns.
  std::int64_t half_width_ns() const { return (high_ - low_ + 1) / 2; }

 private:
  bool known_ = false;
  std::int64_t low_ = 0, high_ = 0, at_ns_ = 0;
};

/// One rig's conversation about one run. The run outlives connections; open trials wait for the rig that comes back.
class RigProtocol {
 public:
  /// `token`: what a rig must know to be heard; "": nothing, for a pipe that nobody else holds.
  RigProtocol(const loop::Experiment& experiment, loop::Run& run, Record& record, std::string token);

  /// Answers one message. Bad ones get an error and change nothing. A stranger gets "" and is to be sent away.
  /// Throws: IoError where the record cannot be written.
  std::string answer(std::string_view line);

  /// Answers whoever comes while a rig is here: with a refusal, a stranger with "".
  std::string refuse_second(std::string_view line) const;

  /// A rig that said hello with the token.
  bool greeted() const { return greeted_; }
  /// The rig said goodbye.
  bool left() const { return left_; }
  /// The run came to its end.
  bool done() const { return run_.done(); }
  /// The connection is gone: what is open stays open for the one that comes next.
  void hang_up(const std::string& reason);

  /// Longest line that makes sense for this experiment, bytes.
  std::size_t longest_line() const { return longest_line_; }

 private:
  Table hello(const Table& message);
  Table ask(const Table& message);
  Table tell(const Table& message);
  Table give_up(const Table& message);
  Table ping(const Table& message);
  Table note(const Table& message);
  void hear_time(std::optional<double> rig_ns);
  std::int64_t to_engine(double rig_ns, const char* field) const;
  Table progress(const char* what) const;

  const loop::Experiment& experiment_;
  loop::Run& run_;
  Record& record_;
  std::string token_;
  std::size_t longest_line_;
  bool greeted_ = false, left_ = false;
  ClockOffset offset_;
  std::optional<std::int64_t> last_reply_ns_;
  std::int64_t received_ns_ = 0;
};

}  // namespace hartline::serve
