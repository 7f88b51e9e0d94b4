#include "instruments/opsin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hartline::instruments {

namespace {

/// The table `key` of a table, made where there is none.
Table& sub_table(Table& table, std::string_view key) {
  if (!table.find(key)) table.set(key, Table{});
  Table* found = table.find(key)->table();
  if (!found) throw SpecError({std::string(key), "a table", std::string(kind_name(*table.find(key))), ""});
  return *found;
}

void add(Table& table, const std::string& key, std::string text) {
  if (table.find(key)) throw SpecError({key, "a name that is free for the opsin", "one in use", ""});
  table.set(key, std::move(text));
}

double hill(double x, double n) { return x > 0 ? 1 / (1 + std::pow(x, -n)) : 0; }

}  // namespace

double Opsin::half_light_mw_per_mm2() const {
  constexpr double planck_times_light_speed = 6.62607015e-34 * 299792458;  // J m
  return half_flux.value * planck_times_light_speed / (wavelength.value * 1e-9) * 1e3;
}

double Opsin::steady_current_na(double light, double v) const {
  const double x = light / half_light_mw_per_mm2(), a = hill(x, p.value), b = hill(x, q.value);
  const double ga1 = k1.value * a, ga2 = k2.value * a, gf = gf0.value + kf.value * b, gb = gb0.value + kb.value * b;
  const double d1 = gd1.value, d2 = gd2.value, r = gr0.value;
  const double o1 = ga1 * (gb * (ga2 + r) + d2 * r), o2 = ga1 * gf * (ga2 + r), c2 = ga1 * gf * d2;
  const double c1 = d1 * gb * (ga2 + r) + d1 * d2 * r + gf * d2 * r;
  const double open = (o1 + ratio.value * o2) / (o1 + o2 + c1 + c2);
  return conductance.value * open * v1.value * -std::expm1(-(v - reversal.value) / v0.value) * 1e-3;  // nS mV = pA
}

Opsin read_opsin(const Table& table, const Place& place) {
  Opsin out;
  read_table(table, place, out);
  return out;
}

void add_opsin(Table& neurons, const Opsin& o) {
  Table& equations = sub_table(neurons, "equations");
  const auto rate = [](const Sourced& x) { return fmt::format("{} / (1 ms)", number_text(x.value)); };
  const auto hill_text = [](const Sourced& n) { return fmt::format("opsin_x^{0} / (1 + opsin_x^{0})", number_text(n.value)); };
  add(equations, "dO1/dt", "opsin_Ga1 * (1 - O1 - O2 - C2) - (" + rate(o.gd1) + " + opsin_Gf) * O1 + opsin_Gb * O2");
  add(equations, "dO2/dt", "opsin_Ga2 * C2 + opsin_Gf * O1 - (" + rate(o.gd2) + " + opsin_Gb) * O2");
  add(equations, "dC2/dt", rate(o.gd2) + " * O2 - (opsin_Ga2 + " + rate(o.gr0) + ") * C2");
  add(equations, "opsin_x", fmt::format("light / ({} mW/mm^2)", number_text(o.half_light_mw_per_mm2())));
  add(equations, "opsin_a", hill_text(o.p));
  add(equations, "opsin_b", hill_text(o.q));
  add(equations, "opsin_Ga1", rate(o.k1) + " * opsin_a");
  add(equations, "opsin_Ga2", rate(o.k2) + " * opsin_a");
  add(equations, "opsin_Gf", rate(o.gf0) + " + " + rate(o.kf) + " * opsin_b");
  add(equations, "opsin_Gb", rate(o.gb0) + " + " + rate(o.kb) + " * opsin_b");
  add(equations, "I_opsin",
      fmt::format("{} nS * (O1 + {} * O2) * {} mV * (1 - exp(-(v - ({} mV)) / ({} mV)))", number_text(o.conductance.value),
                  number_text(o.ratio.value), number_text(o.v1.value), number_text(o.reversal.value), number_text(o.v0.value)));
  const bool is_used = std::any_of(equations.items.begin(), equations.items.end(), [](const auto& item) {
    return item.second.text() && item.first != "I_opsin" && item.second.text()->find("I_opsin") != std::string::npos;
  });
  if (!is_used) throw SpecError({"equations", "with I_opsin, the outward current of the opsin, in that of v", "none with it", ""});
  Table& parameters = sub_table(neurons, "parameters");
  if (!parameters.find("light")) add(parameters, "light", "0 mW/mm^2 : mW/mm^2");
  Table& start = sub_table(neurons, "start");
  for (const char* name : {"O1", "O2", "C2"}) add(start, name, "0");
  if (!neurons.find("own")) neurons.set("own", List{});
  if (!neurons.find("own")->list()) throw SpecError({"own", "a list of names", display(*neurons.find("own")), ""});
  neurons.find("own")->list()->push_back("light");
}

}  // namespace hartline::instruments
