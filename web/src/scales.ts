// Colour ranges of pictures, the same at every trial, with round ticks for their bars.

import { DIVERGING, linear_scale, log_scale, SEQUENTIAL, type ColourScale } from './colour';
import type { Column } from './document';
import { extent, log_ticks, round_ticks } from './numbers';

export interface TickedScale extends ColourScale {
  ticks: number[];
  logarithmic: boolean;
}

const MOST_TICKS = 5;

/** Symmetric about zero, wide enough for all `columns`. */
export function symmetric_scale(...columns: Column[]): TickedScale {
  const [low, high] = extent(...columns) ?? [-1, 1];
  const limit = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return {
    ...linear_scale(DIVERGING, -limit, limit),
    ticks: round_ticks(-limit, limit, MOST_TICKS).values,
    logarithmic: false,
  };
}

/** From the least to the greatest of all `columns`. */
export function sequential_scale(...columns: Column[]): TickedScale {
  const [low, high] = extent(...columns) ?? [0, 1];
  return {
    ...linear_scale(SEQUENTIAL, low, high),
    ticks: round_ticks(low, high, MOST_TICKS).values,
    logarithmic: false,
  };
}

/** Over all `sds`; logarithmic where they shrink by more than half, or the pattern at the end would not show. */
export function uncertainty_scale(...sds: Column[]): TickedScale {
  const [low, high] = extent(...sds) ?? [0, 1];
  return low > 0 && high > 2 * low
    ? { ...log_scale(SEQUENTIAL, low, high), ticks: log_ticks(low, high, MOST_TICKS), logarithmic: true }
    : {
        ...linear_scale(SEQUENTIAL, 0, high || 1),
        ticks: round_ticks(0, high || 1, MOST_TICKS).values,
        logarithmic: false,
      };
}
