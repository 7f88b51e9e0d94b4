// Modifiers: what a design over a pool weighs besides the utility, and which members it may show.
#pragma once

#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "design/design_spec.hpp"
#include "design/pool.hpp"
#include "design/random_law.hpp"

namespace hartline::design {

class Modifiers {
 public:
  /// What a plan keeps of the members.
  struct Members {
    explicit Members(const StimulusSet& set) : available(set), durations(set.num()), allowed(set.num()) {}
    /// What was shown, and for how long; `stimulus` is empty where the trial was seen before.
    void present(std::int64_t pool_index, std::span<const double> stimulus, double duration_s);

    Available available;
    Durations durations;
    std::int64_t last = -1;             // member of the trial before
    std::vector<std::uint8_t> allowed;  // [num] scratch of a draw
  };

  Modifiers(const DesignSpec& spec, std::uint64_t seed);

  /// What members are compared by: the utility less its cost, per second of a trial.
  double value(const Members& members, std::size_t i, double utility) const;

  /// Whether a member may be shown now, whatever it is expected to be answered with.
  bool may_follow(const Members& members, std::size_t i) const;

  /// How many may. Throws: RunError where none may.
  std::int64_t num_left(const Members& members, std::uint64_t trial) const;

  /// The random numbers of a trial that explores; none for one that does not.
  std::optional<Stream> explores(std::uint64_t trial) const { return RandomLaw::exploration(explore_, seed_, trial); }

  /// Draws uniformly from the members whose expected count is within the cap and that may follow. `expected_count(i)` is asked
  /// where there is a cap. Throws: RunError where there is none.
  template <class ExpectedCount>
  void draw(const StimulusSet& set, Members& members, std::uint64_t trial, Stream& stream, Choice& out,
            ExpectedCount&& expected_count) const {
    double least_count = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < set.num(); ++i) {
      members.allowed[i] = may_follow(members, i);
      if (!members.allowed[i] || !capped()) continue;
      const double count = expected_count(i);
      members.allowed[i] = count <= cap_;
      least_count = std::min(least_count, count);
    }
    draw_allowed(set, members, trial, stream, least_count, out);
  }

  bool capped() const { return cap_ < std::numeric_limits<double>::infinity(); }
  double cap() const { return cap_; }

  /// Throws: RunError, for there is no member to choose; `least_count` is the smallest expected count.
  [[noreturn]] void refuse(std::uint64_t trial, double least_count) const;

 private:
  void draw_allowed(const StimulusSet& set, const Members& members, std::uint64_t trial, Stream& stream, double least_count,
                    Choice& out) const;

  bool per_second_, no_repeat_;
  std::vector<double> cost_;
  double cap_, explore_;
  std::uint64_t seed_;
};

}  // namespace hartline::design
