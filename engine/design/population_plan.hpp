// What a design over a pool keeps of a population: mean and variance of every cell's linear predictor for every stimulus.
#pragma once

#include <vector>

#include "design/modifiers.hpp"
#include "design/population_kernels.hpp"
#include "design/scratch_slots.hpp"
#include "numerics/dense.hpp"
#include "numerics/large_pages.hpp"

namespace hartline::design {

constexpr std::size_t max_candidates = 12;  // members that a choice works out in double

/// A row of numbers, one a stimulus of a tile, in whole cache lines.
struct Row {
  alignas(64) float of[tile_size];
};

/// Variance and mean of the linear predictor of one cell, for the stimuli of a tile.
struct Kept {
  Row v, m;
};

/// Steps of every cell that go together, [num_cells] each.
struct Round {
  std::vector<float> g, shrink, mean_step, bias_g;  // g [num_cells, dim]
};

/// What a block of work needs for itself.
struct BlockScratch {
  explicit BlockScratch(std::size_t dim) : x((dim + 1) * tile_size), image(dim) {}
  std::vector<double> x;      // [dim + 1, tile_size] the stimuli of a tile
  std::vector<double> image;  // [dim]
};

class PopulationPlan final : public Plan {
 public:
  PopulationPlan(const StimulusSet& set, std::size_t num_cells, int num_threads)
      : members(set),
        num_tiles((set.num() + tile_size - 1) / tile_size),
        x(num_tiles * (set.dim + 1)),
        kept(num_tiles * num_cells),
        applied(num_tiles, 1),
        scored(num_tiles),
        utility(num_tiles * tile_size),
        version(num_cells),
        known(num_cells),
        cells(num_cells),
        g(num_cells * set.dim),
        anew(num_cells),
        exact(max_candidates * num_cells),
        exact_v(max_candidates * num_cells),
        slots(num_threads, set.dim) {
    for (std::size_t i = 0; i < set.num(); ++i) {
      float* tile = x[i / tile_size * (set.dim + 1)].of + i % tile_size;
      for (std::size_t k = 0; k < set.dim; ++k) tile[k * tile_size] = static_cast<float>(set.pool[i * set.dim + k]);
      const double norm = numerics::dot(&set.pool[i * set.dim], &set.pool[i * set.dim], set.dim);
      tile[set.dim * tile_size] = static_cast<float>(norm);
    }
    candidates.reserve(set.num());
    extra.reserve(8);
  }

  Modifiers::Members members;
  std::size_t num_tiles;
  std::vector<Row> x;                                  // [num_tiles, dim + 1]
  std::vector<Kept, numerics::LargePages<Kept>> kept;  // [num_tiles, num_cells]
  std::vector<std::uint8_t> applied;                   // [num_tiles] the queued steps are in what is kept
  std::vector<std::uint8_t> scored;                    // [num_tiles] in this choice
  std::vector<double> utility;                         // [num_tiles · tile_size]
  std::vector<std::uint64_t> version;                  // [num_cells] of the belief that is kept, once the queue is in
  std::vector<std::uint8_t> known;                     // [num_cells] what is kept is valid
  std::vector<CellPass> cells;                         // [num_cells], the first num_present are those of the last view
  std::size_t num_present = 0;
  std::vector<float> g;  // [num_cells, dim] of every cell's first step
  std::vector<Round> further, expected;
  std::size_t num_further = 0, num_expected = 0;
  std::vector<ExtraStep> extra;
  std::vector<std::uint8_t> anew;  // [num_cells], of the view
  std::vector<std::int64_t> candidates;
  std::vector<double> exact, exact_v;  // [max_candidates, num_cells] utility and variance
  ScratchSlots<BlockScratch> slots;
};

}  // namespace hartline::design
