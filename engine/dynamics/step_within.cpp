#include <algorithm>
#include <cmath>
#include <limits>

#include "dynamics/step.hpp"

namespace hartline::dynamics {

namespace {

constexpr double shortest = 1e-10;      // of the step
constexpr int most_trials = 1'000'000;  // of a block in one step
constexpr double safety = 0.9, most_growth = 6, most_shrinkage = 0.2;

/// How the next step within a step compares with this one; the error is of order four in its length.
double growth(double error) {
  if (!std::isfinite(error)) return most_shrinkage;
  return std::clamp(safety / std::sqrt(std::sqrt(error)), most_shrinkage, most_growth);
}

}  // namespace

void step_within(const Step& step, const Group& group, std::size_t first, std::size_t num) {
  Scratch& own = scratch();
  const std::size_t variables = group.num_integrated;
  if (own.within.size() < variables + 2) own.within.resize(variables + 2);
  for (std::size_t k = 0; k < variables + 2; ++k) {
    if (own.within[k].size() < block_size) own.within[k].resize(block_size);
    if (k <= variables) step.row(group.quantities[k], false).from(first).read(num, own.within[k].data());
  }
  double* const length = own.within[variables].data();
  double* const elapsed = own.within[variables + 1].data();
  set_inputs(step, group, group.index, group.given, group.trial, first, num, false, own);
  own.whole = own.inputs;
  own.active.resize(num);
  for (std::size_t i = 0; i < num; ++i) {
    own.active[i] = static_cast<std::uint32_t>(i);
    elapsed[i] = 0;
    if (length[i] == 0) length[i] = step.dt;
  }
  for (int trial = 0; !own.active.empty(); ++trial) {
    const std::size_t n = own.active.size();
    for (std::uint32_t s = 0; s < group.given.size(); ++s) {
      const Given& given = group.given[s];
      if (!given.varies || given.role == Role::integrated) continue;
      double* const row = own.row(group.given.size() + s, block_size);  // that of s itself may hold the block's
      own.inputs[s].data = row;
      const bool moves = given.role == Role::quantity && given.at < variables;
      const double* const from = moves ? own.within[given.at].data() : own.whole[s].data;
      for (std::size_t l = 0; l < n; ++l) {
        const std::uint32_t i = own.active[l];
        if (given.role == Role::substep)
          row[l] = std::min(length[i], step.dt - elapsed[i]);
        else if (given.role == Role::elapsed)
          row[l] = elapsed[i];
        else if (from)
          row[l] = from[i];
      }
    }
    own.outputs.clear();
    for (std::size_t k = 0; k < group.trial.num_outputs; ++k) own.outputs.push_back(own.result(k, block_size));
    group.trial.kernel->run(own.inputs, n, own.outputs);
    const double* const error = own.results[variables].data();
    const double* const spikes = own.results[variables + 1].data();
    std::size_t left = 0;
    for (std::size_t l = 0; l < n; ++l) {
      const std::uint32_t i = own.active[l];
      const double rest = step.dt - elapsed[i], tried = std::min(length[i], rest);
      bool goes_on = true;
      if (error[l] <= 1) {
        for (std::size_t k = 0; k < variables; ++k) own.within[k][i] = own.results[k][l];
        goes_on = tried < rest && spikes[l] == 0;
        elapsed[i] += tried;
        // a step that was cut to fit says little about longer ones
        const double longer = tried * growth(error[l]);
        length[i] = std::min(step.dt, tried < length[i] ? std::max(length[i], longer) : longer);
      } else {
        length[i] = tried * std::min(growth(error[l]), 0.5);
      }
      if (goes_on && (length[i] < shortest * step.dt || trial == most_trials)) {
        for (std::size_t k = 0; k < variables; ++k) own.within[k][i] = std::numeric_limits<double>::quiet_NaN();
        goes_on = false;
      }
      if (goes_on) own.active[left++] = i;
    }
    own.active.resize(left);
  }
}

}  // namespace hartline::dynamics
