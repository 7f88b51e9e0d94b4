// Where the numbers of an estimate lie: the columns of a table that name the place of each.

import type { Estimate } from './document';
import type { Cell } from './figure';
import { with_unit } from './numbers';

export interface Places {
  columns: string[];
  /** One row a number of the estimate, in its order. */
  rows: Cell[][];
}

export function places_of(estimate: Estimate): Places {
  if (estimate.kind === 'vector') return { columns: ['name'], rows: estimate.names.map((name) => [name]) };
  if (estimate.kind === 'curve')
    return {
      columns: [with_unit(estimate.x_label || 'stimulus', estimate.x_unit)],
      rows: estimate.x.map((x) => [x]),
    };
  if (estimate.kind === 'map')
    return {
      columns: [
        with_unit(estimate.x_label || 'x', estimate.x_unit),
        with_unit(estimate.y_label || 'y', estimate.y_unit),
      ],
      rows: estimate.y.flatMap((y) => estimate.x.map((x) => [x, y])),
    };
  const [rows, columns] = estimate.shape;
  return {
    columns: [
      ...(estimate.num_lags > 1 ? ['lag'] : []),
      estimate.row_label || 'row',
      estimate.column_label || 'column',
    ],
    rows: Array.from({ length: estimate.num_lags * rows * columns }, (_, idx) => [
      ...(estimate.num_lags > 1 ? [Math.floor(idx / (rows * columns))] : []),
      Math.floor(idx / columns) % rows,
      idx % columns,
    ]),
  };
}
