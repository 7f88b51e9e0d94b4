#include "serve/network_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "io/npy.hpp"
#include "serve/figures.hpp"

namespace hartline::serve {

namespace {

constexpr std::size_t max_spikes = 40000, max_rows = 4000, max_lines = 12;
constexpr std::uintmax_t max_bytes = 512u << 20;  // of a recording that is read for its page

/// Of more spikes than can be drawn those of every k-th neuron.
Table raster(const std::string& of, const Array& rows, std::int64_t num_neurons) {
  const auto num = static_cast<std::size_t>(rows.shape[0]);
  const auto every = static_cast<std::int64_t>((num + max_spikes - 1) / max_spikes);
  List times, neurons;
  for (std::size_t i = 0; i < num; ++i) {
    const double neuron = rows.values[2 * i + 1];
    if (every > 1 && static_cast<std::int64_t>(neuron) % every != 0) continue;
    times.emplace_back(rows.values[2 * i]);
    neurons.emplace_back(neuron);
  }
  Table out;
  out.set("name", of);
  if (every > 1) out.set("note", fmt::format("{} spikes in all; those of one neuron in {} are drawn.", num, every));
  out.set("time_ms", times);
  out.set("neuron", neurons);
  if (num_neurons > 0) out.set("num_neurons", num_neurons);
  return out;
}

/// A drawing for every run of columns of one quantity: cells.v[0], cells.v[1] are lines of cells.v.
void add_traces(const std::string& of, const Array& rows, const List& columns, const List& units, List& out) {
  const auto num = static_cast<std::size_t>(rows.shape[0]), width = columns.size();
  const std::size_t every = std::max<std::size_t>(1, (num + max_rows - 1) / max_rows);
  const auto stem = [&](std::size_t c) { return columns[c].text()->substr(0, columns[c].text()->find('[')); };
  for (std::size_t first = 1; first < width;) {
    std::size_t end = first;
    while (end < width && stem(end) == stem(first)) ++end;
    const std::size_t shown = std::min(end - first, max_lines);
    std::string note;
    if (every > 1) note += fmt::format("One row in {} of {} is drawn. ", every, num);
    if (shown < end - first) note += fmt::format("The first {} of {} are drawn.", shown, end - first);
    Table one;
    const bool is_rate = stem(first) == "rate_hz";
    one.set("name", is_rate ? "Rate of " + of : stem(first));
    one.set("unit", units[first]);
    one.set("note", note);
    List times;
    for (std::size_t i = 0; i < num; i += every) times.emplace_back(rows.values[i * width]);
    one.set("time_ms", times);
    List lines;
    for (std::size_t c = first; c < first + shown; ++c) {
      List values;
      for (std::size_t i = 0; i < num; i += every) values.emplace_back(rows.values[i * width + c]);
      Table line;
      line.set("label", columns[c]);
      line.set("values", values);
      lines.emplace_back(line);
    }
    one.set("lines", lines);
    out.emplace_back(one);
    first = end;
  }
}

}  // namespace

Value network_document(const Table& summary, const std::string& folder, const std::string& configuration,
                       const std::string& command) {
  Table out, network;
  List rasters, traces, figures;
  const Value* begun = summary.find("begun_ms");  // of a run that went on from a state
  const double from_ms = begun ? number(*begun) : 0, simulated_ms = number(*summary.find("simulated_ms"));
  out.set("format", 1);
  if (const Value* title = summary.find("title")) out.set("title", *title);
  std::string sentence;
  double num_neurons = 0;
  for (const auto& [name, value] : summary.find("neurons")->table()->items) {
    const Table& group = *value.table();
    num_neurons += number(*group.find("num"));
    if (group.find("mean_rate_hz"))
      figures.emplace_back(
          figure("Mean rate, " + name, number(*group.find("mean_rate_hz")), "Hz", 1,
                 fmt::format("{:.0f} spikes of {:.0f}", number(*group.find("spikes")), number(*group.find("num")))));
  }
  double num_synapses = 0;
  if (const Value* synapses = summary.find("synapses"))
    for (const auto& [name, value] : synapses->table()->items) num_synapses += number(*member(value, "num"));
  sentence = fmt::format("{:.0f} {}, {:.0f} ms of their time", num_neurons, num_neurons == 1 ? "neuron" : "neurons", simulated_ms);
  if (num_synapses > 0)
    sentence = fmt::format("{:.0f} neurons and {:.0f} synapses, {:.0f} ms of their time", num_neurons, num_synapses, simulated_ms);
  out.set("sentence", sentence + ".");
  figures.emplace_back(figure("Speed", number(*summary.find("times_real_time")), "×", 2, "of real time"));
  const Value* record = summary.find("record");
  for (const auto& [name, value] : record ? record->table()->items : Table{}.items) {
    const Table& about = *value.table();
    const std::string path = folder + "/" + *about.find("file")->text();
    if (std::filesystem::file_size(path) > max_bytes) {
      sentence += fmt::format(" {} is too large to be drawn.", *about.find("file")->text());
      out.set("sentence", sentence);
      continue;
    }
    const Array rows = io::read_npy(path);
    const List& columns = *about.find("columns")->list();
    const std::string of = about.find("of") ? *about.find("of")->text() : name;
    if (columns.size() > 1 && *columns[1].text() == "neuron") {
      const Value* num = summary.find("neurons")->table()->find(of);
      rasters.emplace_back(raster(of, rows, num ? static_cast<std::int64_t>(number(*member(*num, "num"))) : 0));
    } else {
      add_traces(of, rows, columns, *about.find("units")->list(), traces);
    }
  }
  out.set("figures", figures);
  network.set("from_ms", from_ms);
  network.set("to_ms", from_ms + simulated_ms);
  network.set("rasters", rasters);
  network.set("traces", traces);
  out.set("network", network);
  out.set("configuration", configuration);
  out.set("command", command);
  return out;
}

}  // namespace hartline::serve
