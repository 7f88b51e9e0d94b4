// Plastic synapses of the library beside sums over their spikes, which know no traces and no steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/random.hpp"
#include "base/threads.hpp"
#include "dynamics/run.hpp"
#include "dynamics/test_networks.hpp"
#include "loop/library.hpp"

namespace hartline {
namespace {

using dynamics::table;

const std::unique_ptr<Executor> serial = make_serial_executor();

/// Times of `num` spikes within `end_ms` on a grid of 0.1 ms, none of them in `taken`, which they join.
std::vector<double> train(std::uint64_t number, std::size_t num, double end_ms, std::set<std::int64_t>& taken) {
  Stream stream(1, Purpose::test, number);
  std::vector<double> out;
  while (out.size() < num) {
    const auto step = static_cast<std::int64_t>(stream.uniform() * end_ms * 10);
    if (taken.insert(step).second) out.push_back(static_cast<double>(step) / 10);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// One synapse of the library between two cells whose spikes are given.
class Synapse {
 public:
  Synapse(const char* model, const std::vector<double>& pre, const std::vector<double>& post, double dt_ms = 0.1)
      : program_(network(model, pre, post, dt_ms), 1), state_(program_.start()) {}

  /// A quantity after the step from `ms`.
  double after(double ms, const char* name) {
    const std::int64_t step = std::llround(ms * 1e-3 / program_.dt_s()) + 1;
    dynamics::run(program_, state_, step - state_.step(), *serial);
    double out = 0;
    program_.read(state_, program_.port(name), std::span(&out, 1));
    return out;
  }

 private:
  static Table network(const char* model, const std::vector<double>& pre, const std::vector<double>& post, double dt_ms) {
    const auto cell = [](const std::vector<double>& times) {
      return table({{"spike_times_ms", numbers(times)},
                    {"spike_neurons", List(times.size(), 0)},
                    {"equations", table({{"dg/dt", "0 nS / (1 s) : nS"}, {"dx/dt", "0 nS / (1 s) : nS"}})},
                    {"start", table({{"g", "0 nS"}, {"x", "0 nS"}})}});
    };
    Table net = dynamics::network(
        dt_ms, table({{"source", cell(pre)}, {"target", cell(post)}}),
        table(
            {{"s", table({{"model", model}, {"from", "source"}, {"to", "target"}, {"connect", table({{"one_to_one", true}})}})}}));
    loop::take_from_library(net);
    return net;
  }

  dynamics::Program program_;
  dynamics::State state_;
};

/// Σ e^(-(t - s)/τ) over spikes s before t.
double trace(const std::vector<double>& spikes, double t, double tau) {
  double out = 0;
  for (const double s : spikes)
    if (s < t - 0.01) out += std::exp(-(t - s) / tau);
  return out;
}

/// Calls `pre(t)` and `post(t)` in the order of time.
template <class Pre, class Post>
void in_order(const std::vector<double>& pre_times, const std::vector<double>& post_times, Pre&& pre, Post&& post) {
  std::vector<std::pair<double, bool>> all;
  for (const double t : pre_times) all.emplace_back(t, true);
  for (const double t : post_times) all.emplace_back(t, false);
  std::sort(all.begin(), all.end());
  for (const auto& [t, is_pre] : all) is_pre ? pre(t) : post(t);
}

TEST(Plasticity, PairsOfSpikesAddUp) {
  std::set<std::int64_t> taken;
  const auto pre = train(1, 300, 5000, taken), post = train(2, 300, 5000, taken);
  Synapse synapse("stdp", pre, post);
  double w = 0.075, lowest = w, highest = w;
  const auto seen = [&](double t) {
    w = std::clamp(w, 0.0, 0.15);
    lowest = std::min(lowest, w), highest = std::max(highest, w);
    EXPECT_NEAR(synapse.after(t, "s.w"), w, 1e-12) << t;
  };
  in_order(
      pre, post,
      [&](double t) {
        w -= 1.05 * 0.005 * 0.15 * trace(post, t, 20);
        seen(t);
      },
      [&](double t) {
        w += 0.005 * 0.15 * trace(pre, t, 20);
        seen(t);
      });
  EXPECT_GT(highest - lowest, 0.002);
}

TEST(Plasticity, TripletsOfSpikesAddUp) {
  std::set<std::int64_t> taken;
  const auto pre = train(3, 200, 4000, taken), post = train(4, 200, 4000, taken);
  Synapse synapse("stdp_triplet", pre, post);
  double w = 1;
  in_order(
      pre, post,
      [&](double t) {
        w = std::clamp(w - 7.1e-3 * trace(post, t, 33.7), 0.0, 2.0);
        EXPECT_NEAR(synapse.after(t, "s.w"), w, 1e-11) << t;
      },
      [&](double t) {
        w = std::clamp(w + 6.5e-3 * trace(pre, t, 16.8) * trace(post, t, 114), 0.0, 2.0);
        EXPECT_NEAR(synapse.after(t, "s.w"), w, 1e-11) << t;
      });
  EXPECT_GT(std::abs(w - 1), 0.01);
}

TEST(Plasticity, PairingsDependOnTheirRateAsTripletsSay) {
  // 60 pairs, post 10 ms after pre and before it: at 1 Hz depression follows the order, at 50 Hz both potentiate (Pfister &
  // Gerstner 2006)
  const auto change = [](double rate_hz, double lag_ms) {
    std::vector<double> pre, post;
    for (int k = 0; k < 60; ++k) {
      pre.push_back(20 + 1000 / rate_hz * k);
      post.push_back(pre.back() + lag_ms);
    }
    Synapse synapse("stdp_triplet", pre, post);
    return synapse.after(20 + 1000 / rate_hz * 60 + 100, "s.w") - 1;
  };
  EXPECT_LT(change(1, -10), -0.1);
  EXPECT_GT(change(50, 10), 0.1);
  EXPECT_GT(change(50, -10), 0.1);
  EXPECT_LT(std::abs(change(1, 10)), 0.05);
}

TEST(Plasticity, WhatIsReleasedRecoversAndFacilitates) {
  std::set<std::int64_t> taken;
  const auto pre = train(5, 100, 5000, taken);
  Synapse synapse("short_term", pre, {});
  double x = 1, u = 0, g = 0;
  std::optional<double> last;
  for (const double t : pre) {
    if (last) {
      x = 1 - (1 - x) * std::exp(-(t - *last) / 800);
      u *= std::exp(-(t - *last) / 50);
    }
    last = t;
    u += 0.5 * (1 - u);
    g += u * x;
    x -= u * x;
    EXPECT_NEAR(synapse.after(t, "target.g"), g, 1e-11) << t;
  }
}

TEST(Plasticity, RegularSpikesReleaseTheirSteadyShare) {
  std::vector<double> pre;
  for (int k = 1; k <= 200; ++k) pre.push_back(50 * k);
  Synapse synapse("short_term", pre, {});
  const double before = synapse.after(pre[198], "target.g"), share = synapse.after(pre[199], "target.g") - before;
  const double recovered = std::exp(-50.0 / 800), u = 0.5 / (1 - 0.5 * std::exp(-50.0 / 50));
  EXPECT_NEAR(share, u * (1 - recovered) / (1 - (1 - u) * recovered), 1e-10);
}

TEST(Plasticity, CalciumMovesTheEfficacyWhileItIsOverItsThresholds) {
  // between spikes the calcium decays from c0, so that the time it is over a threshold θ is 20 ms log(c0 / θ); there ρ' is a
  // polynomial
  std::vector<double> pre, post;
  for (int k = 0; k < 60; ++k) {
    pre.push_back(100 + 200 * k);
    post.push_back(pre.back() + 10);
  }
  const auto reference = [&] {
    double rho = 0.5, c = 0, at = 0;
    const auto flow = [&](double until) {
      while (at < until - 1e-12) {
        const double above = c > 1.3 ? 1.3 : c > 1 ? 1 : 0;
        const double end = above > 0 ? std::min(until, at + 20 * std::log(c / above)) : until;
        const auto slope = [&](double r) {
          return (-r * (1 - r) * (0.5 - r) + (above == 1.3 ? 321.808 * (1 - r) : 0) - (above >= 1 ? 200 * r : 0)) / 150e3;
        };
        const int num = 200;
        const double h = (end - at) / num;
        for (int k = 0; k < num; ++k) {
          const double k1 = slope(rho), k2 = slope(rho + h / 2 * k1), k3 = slope(rho + h / 2 * k2), k4 = slope(rho + h * k3);
          rho += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
        }
        c = above > 0 && end < until ? above : c * std::exp(-(end - at) / 20);
        at = end;
      }
    };
    in_order(
        pre, post,
        [&](double t) {
          flow(t);
          c += 1;
        },
        [&](double t) {
          flow(t);
          c += 2;
        });
    flow(12200);
    return rho;
  }();
  Synapse synapse("graupner_brunel", pre, post, 0.02);
  const double rho = synapse.after(12200, "s.rho");
  EXPECT_GT(std::abs(reference - 0.5), 0.03);
  EXPECT_NEAR(rho, reference, 1e-3 * std::abs(reference - 0.5) + 1e-12);
}

}  // namespace
}  // namespace hartline
