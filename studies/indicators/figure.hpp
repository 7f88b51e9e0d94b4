// The ranking as a figure (SVG that needs nothing else) and as a table (Markdown).
#pragma once

#include <string>
#include <vector>

#include "ranking.hpp"

namespace hartline::studies {

std::string draw_figure(std::vector<Row> rows, const Condition& condition);
std::string write_table(std::vector<Row> rows, const Condition& condition);

}  // namespace hartline::studies
