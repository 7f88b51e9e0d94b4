#include "figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hartline::studies {

namespace {

constexpr double low = 0.1, high = 100;  // of the axis

void sort_by(std::vector<Row>& rows, int excitation) {
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& a, const Row& b) { return a.equal[excitation].formula > b.equal[excitation].formula; });
}

std::string caption(const Condition& c) {
  return fmt::format("One action potential of {} mV, {} ms wide at half height, {} frames a second, {} photons a frame at rest {}",
                     c.height_mv, c.width_ms, c.frame_rate_hz, c.photons, "(own brightness: if it were EGFP)");
}

}  // namespace

std::string draw_figure(std::vector<Row> rows, const Condition& condition) {
  constexpr double row_height = 20, top = 66, panel = 470, label = 140, plot = 300;
  const double height = top + row_height * static_cast<double>(rows.size()) + 62,
               bottom = top + row_height * static_cast<double>(rows.size());
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n<text x=\"10\" y=\"20\">{2}</text>\n",
      2 * panel, height, caption(condition));
  for (const int two : {0, 1}) {
    sort_by(rows, two);
    const double left = two * panel + label;
    const auto x = [&](double d) { return left + plot * std::log(d / low) / std::log(high / low); };
    out += fmt::format("<text x=\"{}\" y=\"48\" font-weight=\"bold\">{}</text>\n", left,
                       two ? "Two-photon excitation" : "One-photon excitation");
    for (double tick = low; tick <= high * 1.01; tick *= 10)
      out += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#ddd\"/>\n<text x=\"{0:.1f}\" y=\"{3}\" "
          "text-anchor=\"middle\">{4:g}</text>\n",
          x(tick), top - 8, bottom, bottom + 16, tick);
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">d′ (standard deviations of shot noise)</text>\n",
                       left + plot / 2, bottom + 34);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const double y = top + row_height * static_cast<double>(k) + 6;
      out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 8, y + 4, rows[k].name);
      if (rows[k].equal[two].formula == 0) {
        out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#888\">no response</text>\n", left + 4, y + 4);
        continue;
      }
      const auto mark = [&](const Detectability& d, const char* fill) {
        const double at = std::clamp(std::max(d.simulated, 1e-9), low, high);  // what is off the axis stands at its end
        out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"{}\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>\n",
                           x(at), y, fill);
      };
      mark(rows[k].own[two], "white");
      mark(rows[k].equal[two], "#1f5fa8");
    }
  }
  out += fmt::format(
      "<circle cx=\"16\" cy=\"{0}\" r=\"4.5\" fill=\"#1f5fa8\"/><text x=\"26\" y=\"{1}\">at equal photons (order)</text>\n"
      "<circle cx=\"196\" cy=\"{0}\" r=\"4.5\" fill=\"white\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>"
      "<text x=\"206\" y=\"{1}\">at its own brightness</text>\n</svg>\n",
      height - 12, height - 8);
  return out;
}

std::string write_table(std::vector<Row> rows, const Condition& condition) {
  sort_by(rows, 0);
  std::string out = "# Indicators by detectability\n\n" + caption(condition) +
                    ".\nd′ as simulated, by shot noise in brackets; standard errors are at most ";
  double most = 0;
  for (const Row& row : rows)
    for (const int two : {0, 1}) most = std::max({most, row.equal[two].error, row.own[two].error});
  out += fmt::format(
      "{:.2f}.\n\n| indicator | one photon, equal photons | own brightness | two photons, equal photons | own brightness | assumed "
      "values |\n"
      "|---|---|---|---|---|---|\n",
      most);
  const auto cell = [](const Detectability& d) {
    return d.formula == 0 ? fmt::format("{:.2f}, no response", d.simulated)
                          : fmt::format("{:.2f} ({:.2f})", d.simulated, d.formula);
  };
  for (const Row& row : rows)
    out += fmt::format("| {} | {} | {} | {} | {} | {} of {} |\n", row.name, cell(row.equal[0]), cell(row.own[0]),
                       cell(row.equal[1]), cell(row.own[1]), row.num_assumed, row.num_values);
  return out;
}

}  // namespace hartline::studies
