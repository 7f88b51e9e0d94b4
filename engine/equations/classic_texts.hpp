// Texts that kernels are measured with.
#pragma once

namespace hartline::equations {

constexpr const char* tuning_curve_text = R"(
given x : deg
given mu : deg
given sigma : deg
given A : Hz
given b : Hz
rate = b + A * exp(-(x - mu)^2 / (2 * sigma^2)) : Hz
count = rate * 100 ms
)";

/// A step of the Hodgkin-Huxley neuron of the COBAHH benchmark by the exponential Euler method.
/// Reference: Brette et al. 2007, Simulation of networks of spiking neurons, Benchmark 3, doi:10.1007/s10827-007-0038-6
constexpr const char* hodgkin_huxley_text = R"(
given v : mV
given m
given h
given n
given ge : nS
given gi : nS
dt = 0.1 ms
area = 20000 * (1 um)^2
C = 1 uF / (1 cm)^2 * area
gL = 0.05 mS / (1 cm)^2 * area
gNa = 100 mS / (1 cm)^2 * area
gK = 30 mS / (1 cm)^2 * area
u = v + 63 mV
am = 0.32 * 4 / exprel((13 mV - u) / 4 mV) / 1 ms
bm = 0.28 * 5 / exprel((u - 40 mV) / 5 mV) / 1 ms
ah = 0.128 * exp((17 mV - u) / 18 mV) / 1 ms
bh = 4 / (1 + exp((40 mV - u) / 5 mV)) / 1 ms
an = 0.032 * 5 / exprel((15 mV - u) / 5 mV) / 1 ms
bn = 0.5 * exp((10 mV - u) / 40 mV) / 1 ms
g = gL + ge + gi + gNa * m^3 * h + gK * n^4
rest = (gL * -60 mV + gi * -80 mV + gNa * m^3 * h * 50 mV + gK * n^4 * -90 mV) / g
v_next = rest + (v - rest) * exp(-dt * g / C) : mV
m_next = am / (am + bm) + (m - am / (am + bm)) * exp(-dt * (am + bm))
h_next = ah / (ah + bh) + (h - ah / (ah + bh)) * exp(-dt * (ah + bh))
n_next = an / (an + bn) + (n - an / (an + bn)) * exp(-dt * (an + bn))
ge_next = ge * exp(-dt / 5 ms) : nS
gi_next = gi * exp(-dt / 10 ms) : nS
)";

/// The same neuron by the form of the method that divides no rate by another, x + dt f exprel(a dt) where dx/dt = f and a is its
/// slope, in base units.
constexpr const char* cobahh_text = R"(
given v : V
given m
given h
given n
given ge : S
given gi : S
dt = 0.1 ms
area = 20000 * (1 um)^2
Cm = 1 uF / (1 cm)^2 * area
gl = 0.05 mS / (1 cm)^2 * area
g_na = 100 mS / (1 cm)^2 * area
g_kd = 30 mS / (1 cm)^2 * area
El = -60 mV
EK = -90 mV
ENa = 50 mV
Ee = 0 mV
Ei = -80 mV
VT = -63 mV
taue = 5 ms
taui = 10 ms
alpha_m = 0.32 / 1 mV * 4 mV / exprel((13 mV - v + VT) / 4 mV) / 1 ms
beta_m = 0.28 / 1 mV * 5 mV / exprel((v - VT - 40 mV) / 5 mV) / 1 ms
alpha_h = 0.128 * exp((17 mV - v + VT) / 18 mV) / 1 ms
beta_h = 4 / (1 + exp((40 mV - v + VT) / 5 mV)) / 1 ms
alpha_n = 0.032 / 1 mV * 5 mV / exprel((15 mV - v + VT) / 5 mV) / 1 ms
beta_n = 0.5 * exp((10 mV - v + VT) / 40 mV) / 1 ms
dv = (gl * (El - v) - g_na * m^3 * h * (v - ENa) - g_kd * n^4 * (v - EK) + ge * (Ee - v) + gi * (Ei - v)) / Cm
v_next = v + dt * dv * exprel(-dt * (gl + g_na * m^3 * h + g_kd * n^4 + ge + gi) / Cm)
m_next = m + dt * (alpha_m * (1 - m) - beta_m * m) * exprel(-dt * (alpha_m + beta_m))
h_next = h + dt * (alpha_h * (1 - h) - beta_h * h) * exprel(-dt * (alpha_h + beta_h))
n_next = n + dt * (alpha_n * (1 - n) - beta_n * n) * exprel(-dt * (alpha_n + beta_n))
ge_next = ge - dt * ge / taue * exprel(-dt / taue)
gi_next = gi - dt * gi / taui * exprel(-dt / taui)
)";

}  // namespace hartline::equations
