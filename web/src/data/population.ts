// A population: many cells, each with its own estimate, in order of falling information.

import { column, fitted, number, objects, shape, text, type Column, type Members, type Num } from './fields';

export interface Cell {
  cell: Num;
  name: string;
  information_bits: Num;
  num_responses: Num;
  first_trial: Num;
  last_trial: Num;
  /** null for an estimate that is not an image. */
  shape: [number, number] | null;
  mean: Column;
  truth: Column;
  /** What drives the cell, in a unit of its own. */
  field: Column;
  sd: Column;
}
export interface Population {
  num_cells: number;
  cells: Cell[];
}

function cell(from: Members, idx: number): Cell {
  const size = shape(from.shape);
  const length = size ? size[0] * size[1] : column(from.mean).length;
  const values = (given: unknown): Column => (Array.isArray(given) ? fitted(given, length) : []);
  return {
    cell: number(from.cell),
    name: text(from.name) || `cell ${number(from.cell) ?? idx + 1}`,
    information_bits: number(from.information_bits),
    num_responses: number(from.num_responses),
    first_trial: number(from.first_trial),
    last_trial: number(from.last_trial),
    shape: size,
    mean: values(from.mean),
    truth: values(from.truth),
    field: values(from.field),
    sd: values(from.sd),
  };
}

export function read_population(from: Members | null): Population | null {
  if (!from) return null;
  const cells = objects(from.cells).map(cell);
  return { num_cells: number(from.num_cells) ?? cells.length, cells };
}
