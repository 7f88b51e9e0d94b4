// State: everything about a network that changes, in one block of memory. A copy is a fork, its bytes are a checkpoint.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

namespace hartline::dynamics {

/// Numbers of a state that follow each other: doubles, or floats, which take half the room. They are worked with as doubles.
class Row {
 public:
  Row(void* first, bool is_narrow) : first_(first), is_narrow_(is_narrow) {}

  /// f of a pointer to all of them.
  template <class F>
  decltype(auto) with(F&& f) const {
    return is_narrow_ ? f(static_cast<float*>(first_)) : f(static_cast<double*>(first_));
  }
  double operator[](std::size_t k) const {
    return with([&](const auto* x) { return static_cast<double>(x[k]); });
  }
  void set(std::size_t k, double value) const {
    with([&](auto* x) { x[k] = static_cast<std::remove_reference_t<decltype(*x)>>(value); });
  }
  Row from(std::size_t k) const {
    return {with([&](auto* x) { return static_cast<void*>(x + k); }), is_narrow_};
  }
  /// The doubles themselves; null for floats.
  double* doubles() const { return is_narrow_ ? nullptr : static_cast<double*>(first_); }
  void read(std::size_t num, double* out) const;
  void write(std::size_t num, const double* values) const;

 private:
  void* first_;
  bool is_narrow_;
};

/// Where things are in a state: rows of doubles, floats and whole numbers, each on a cache line of its own.
class Layout {
 public:
  /// A row of `num` doubles; returns its place among the doubles of the state.
  std::size_t doubles(std::size_t num) { return take(num * sizeof(double)) / sizeof(double); }
  /// The same of floats, and of whole numbers of four bytes.
  std::size_t floats(std::size_t num) { return take(num * sizeof(float)) / sizeof(float); }
  std::size_t integers(std::size_t num) { return take(num * sizeof(std::int32_t)) / sizeof(std::int32_t); }
  std::size_t num_bytes() const { return size_; }

 private:
  std::size_t take(std::size_t bytes) {
    const std::size_t at = size_;
    size_ += (bytes + 63) / 64 * 64;
    return at;
  }
  std::size_t size_ = 64;  // the first line is the state's head
};

/// Made by Program::start, changed by Program::step and through the program's ports. Bit for bit: a copy goes on as the original
/// does. (program_test.cpp: Network.ForkIsNoFork)
class State {
 public:
  State() = default;
  explicit State(std::size_t num_bytes) : memory_(allocate(num_bytes)), size_(num_bytes) {
    std::memset(memory_.get(), 0, num_bytes);
  }
  State(const State& other) : memory_(allocate(other.size_)), size_(other.size_) { copy(other); }
  State(State&&) = default;
  State& operator=(State&&) = default;
  State& operator=(const State& other) {
    if (this == &other) return *this;
    if (size_ != other.size_) {
      memory_ = allocate(other.size_);
      size_ = other.size_;
    }
    copy(other);
    return *this;
  }

  /// Steps taken.
  std::int64_t step() const { return head()->step; }
  void next_step() { ++head()->step; }
  /// Of the program that made it.
  std::uint64_t program() const { return head()->program; }
  void belongs_to(std::uint64_t program) { head()->program = program; }

  double* doubles() { return reinterpret_cast<double*>(memory_.get()); }
  const double* doubles() const { return reinterpret_cast<const double*>(memory_.get()); }
  /// The row at a place that Layout gave.
  Row row(std::size_t place, bool is_narrow) { return Row(doubles(), is_narrow).from(place); }
  const Row row(std::size_t place, bool is_narrow) const { return const_cast<State*>(this)->row(place, is_narrow); }
  std::int32_t* integers() { return reinterpret_cast<std::int32_t*>(memory_.get()); }
  const std::int32_t* integers() const { return reinterpret_cast<const std::int32_t*>(memory_.get()); }

  std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }
  std::span<std::byte> bytes() { return {memory_.get(), size_}; }

 private:
  struct Head {
    std::int64_t step;
    std::uint64_t program;
  };
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory allocate(std::size_t bytes);
  void copy(const State& other) { std::memcpy(memory_.get(), other.memory_.get(), size_); }
  Head* head() { return reinterpret_cast<Head*>(memory_.get()); }
  const Head* head() const { return reinterpret_cast<const Head*>(memory_.get()); }

  Memory memory_;
  std::size_t size_ = 0;
};

}  // namespace hartline::dynamics
