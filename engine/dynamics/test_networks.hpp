// Networks for tests and benchmarks, as tables.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "base/value.hpp"

namespace hartline::dynamics {

inline Table table(std::initializer_list<std::pair<const char*, Value>> items) {
  Table out;
  for (const auto& [key, value] : items) out.set(key, value);
  return out;
}

inline Table network(double dt_ms, Table neurons, Table synapses = {}) {
  return table({{"dt_ms", dt_ms}, {"neurons", std::move(neurons)}, {"synapses", std::move(synapses)}});
}

/// An adaptive exponential cell (Brette & Gerstner 2005) that is driven by 1.5 nA.
inline Table adex_cell(const std::string& method) {
  return table({{"equations", table({{"dv/dt", "(gL * (EL - v) + gL * DT * exp((v - VT) / DT) + I - w) / C : mV"},
                                     {"dw/dt", "(a * (v - EL) - w) / tau_w : nA"},
                                     {"C", "281 pF"},
                                     {"gL", "30 nS"},
                                     {"EL", "-70.6 mV"},
                                     {"VT", "-50.4 mV"},
                                     {"DT", "2 mV"},
                                     {"tau_w", "144 ms"},
                                     {"a", "4 nS"},
                                     {"b", "0.0805 nA"}})},
                {"parameters", table({{"I", "1.5 nA"}})},
                {"start", table({{"v", "EL"}, {"w", "0 nA"}})},
                {"threshold", "v > VT + 5 * DT"},
                {"reset", List{"v = EL", "w += b"}},
                {"method", method}});
}

/// Hodgkin and Huxley's membrane at 6.3 degrees, driven by 10 µA/cm².
inline Table squid_cell(const std::string& method) {
  return table(
      {{"equations", table({{"dv/dt", "(I - gNa * m^3 * h * (v - 50 mV) - gK * n^4 * (v + 77 mV) - gL * (v + 54.3 mV)) / C : mV"},
                            {"dm/dt", "am * (1 - m) - bm * m"},
                            {"dh/dt", "ah * (1 - h) - bh * h"},
                            {"dn/dt", "an * (1 - n) - bn * n"},
                            {"am", "1 / exprel(-(v + 40 mV) / (10 mV)) / (1 ms)"},
                            {"bm", "4 * exp(-(v + 65 mV) / (18 mV)) / (1 ms)"},
                            {"ah", "0.07 * exp(-(v + 65 mV) / (20 mV)) / (1 ms)"},
                            {"bh", "1 / (exp(-(v + 35 mV) / (10 mV)) + 1) / (1 ms)"},
                            {"an", "0.1 / exprel(-(v + 55 mV) / (10 mV)) / (1 ms)"},
                            {"bn", "0.125 * exp(-(v + 65 mV) / (80 mV)) / (1 ms)"},
                            {"C", "1 uF/cm^2"},
                            {"gNa", "120 mS/cm^2"},
                            {"gK", "36 mS/cm^2"},
                            {"gL", "0.3 mS/cm^2"}})},
       {"parameters", table({{"I", "10 uA/cm^2"}})},
       {"start", table({{"v", "-65 mV"}, {"m", "am / (am + bm)"}, {"h", "ah / (ah + bh)"}, {"n", "an / (an + bn)"}})},
       {"threshold", "v > 0 mV"},
       {"refractory", "v > 0 mV"},
       {"method", method}});
}

/// `num` cells, four fifths of them excitatory, each pair connected with probability `p`: currents as in Vogels & Abbott 2005.
inline Table cuba_network(int num, double p, const std::string& delay = "") {
  const auto side = [&](int first, int last, const char* change) {
    Table out = table({{"from", "cells[" + std::to_string(first) + ":" + std::to_string(last) + "]"},
                       {"to", "cells"},
                       {"connect", table({{"probability", std::to_string(p)}})},
                       {"on_pre", List{change}}});
    if (!delay.empty()) out.set("delay", delay);
    return out;
  };
  return network(0.1,
                 table({{"cells", table({{"num", num},
                                         {"equations", table({{"dv/dt", "(ge + gi - (v - El)) / (20 ms) : mV"},
                                                              {"dge/dt", "-ge / (5 ms) : mV"},
                                                              {"dgi/dt", "-gi / (10 ms) : mV"},
                                                              {"El", "-49 mV"}})},
                                         {"start", table({{"v", "-60 mV + random * 10 mV"}, {"ge", "0 mV"}, {"gi", "0 mV"}})},
                                         {"threshold", "v > -50 mV"},
                                         {"reset", List{"v = -60 mV"}},
                                         {"refractory", "5 ms"},
                                         {"held", List{"v"}}})}}),
                 table({{"excitatory", side(0, num * 4 / 5, "ge_post += 1.62 mV")},
                        {"inhibitory", side(num * 4 / 5, num, "gi_post -= 9 mV")}}));
}

}  // namespace hartline::dynamics
