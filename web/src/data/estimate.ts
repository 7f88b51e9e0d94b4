// The estimate over trials: an image, a map, a curve or named parameters.

import { by_trial, coordinate, fitted, number, objects, shape, text, texts } from './fields';
import type { Column, Members, Num } from './fields';

export interface GaussianSnapshot {
  trial: number;
  mean: Column;
  sd: Column;
}
export interface CurveSnapshot {
  trial: number;
  mean: Column;
  low: Column;
  high: Column;
}
export interface Observation {
  trial: number;
  x: number;
  y: number;
}
export interface Marginal {
  name: string;
  unit: string;
  grid: number[];
  truth: Num;
  snapshots: { trial: number; probability: Column }[];
}
export interface ImageEstimate {
  kind: 'image';
  shape: [number, number];
  /** Pictures in every column of values, lag 0 first; 1 where the image has no lags. */
  num_lags: number;
  frame_ms: Num;
  row_label: string;
  column_label: string;
  unit: string;
  truth: Column;
  /** What drives the cell, in a unit of its own. */
  field: Column;
  snapshots: GaussianSnapshot[];
  marginals: Marginal[];
}
export interface CurveEstimate {
  kind: 'curve';
  x: number[];
  x_label: string;
  x_unit: string;
  y_label: string;
  y_unit: string;
  truth: Column;
  snapshots: CurveSnapshot[];
  observations: Observation[];
  marginals: Marginal[];
}
export interface MapObservation {
  trial: number;
  x: number;
  y: number;
  r: Num;
}
export interface MapEstimate {
  kind: 'map';
  x: number[];
  y: number[];
  x_label: string;
  x_unit: string;
  y_label: string;
  y_unit: string;
  unit: string;
  truth: Column;
  snapshots: GaussianSnapshot[];
  observations: MapObservation[];
  marginals: Marginal[];
}
export interface VectorEstimate {
  kind: 'vector';
  names: string[];
  unit: string;
  truth: Column;
  snapshots: GaussianSnapshot[];
}
export type Estimate = ImageEstimate | MapEstimate | CurveEstimate | VectorEstimate;

function marginal(from: Members, path: string, left_out: string[]): Marginal {
  const grid = coordinate(from.grid, `${path}.grid`, left_out);
  return {
    name: text(from.name),
    unit: text(from.unit),
    grid,
    truth: number(from.truth),
    snapshots: by_trial(from.snapshots, (one) => ({ probability: fitted(one.probability, grid.length) })),
  };
}

export function read_estimate(from: Members | null, path: string, left_out: string[]): Estimate | null {
  if (!from) return null;
  const marginals = objects(from.marginals)
    .map((one, idx) => marginal(one, `${path}.marginals[${idx}]`, left_out))
    .filter((one) => one.grid.length > 0 && one.snapshots.length > 0);
  const gaussian = (size: number): GaussianSnapshot[] =>
    by_trial(from.snapshots, (one) => ({ mean: fitted(one.mean, size), sd: fitted(one.sd, size) }));
  const truth = (size: number): Column => (Array.isArray(from.truth) ? fitted(from.truth, size) : []);
  if (from.kind === 'image') {
    const size = shape(from.shape);
    if (!size) {
      left_out.push(`${path}.shape must be two whole numbers > 0`);
      return null;
    }
    const num_lags = from.num_lags === undefined ? 1 : (number(from.num_lags) ?? 0);
    if (!Number.isInteger(num_lags) || num_lags < 1) {
      left_out.push(`${path}.num_lags must be a whole number > 0`);
      return null;
    }
    const length = num_lags * size[0] * size[1];
    return {
      kind: 'image',
      shape: size,
      num_lags,
      frame_ms: number(from.frame_ms),
      row_label: text(from.row_label),
      column_label: text(from.column_label),
      unit: text(from.unit),
      truth: truth(length),
      field: Array.isArray(from.field) ? fitted(from.field, length) : [],
      snapshots: gaussian(length),
      marginals,
    };
  }
  if (from.kind === 'map') {
    const [x, y] = [coordinate(from.x, `${path}.x`, left_out), coordinate(from.y, `${path}.y`, left_out)];
    const length = x.length * y.length;
    return {
      kind: 'map',
      x,
      y,
      x_label: text(from.x_label),
      x_unit: text(from.x_unit),
      y_label: text(from.y_label),
      y_unit: text(from.y_unit),
      unit: text(from.unit),
      truth: truth(length),
      snapshots: gaussian(length),
      observations: by_trial(from.observations, (one) => ({
        x: number(one.x),
        y: number(one.y),
        r: number(one.r),
      })).filter((one): one is MapObservation => one.x !== null && one.y !== null),
      marginals,
    };
  }
  if (from.kind === 'curve') {
    const x = coordinate(from.x, `${path}.x`, left_out);
    return {
      kind: 'curve',
      x,
      x_label: text(from.x_label),
      x_unit: text(from.x_unit),
      y_label: text(from.y_label),
      y_unit: text(from.y_unit),
      truth: truth(x.length),
      marginals,
      snapshots: by_trial(from.snapshots, (one) => ({
        mean: fitted(one.mean, x.length),
        low: fitted(one.low, x.length),
        high: fitted(one.high, x.length),
      })),
      observations: by_trial(from.observations, (one) => ({ x: number(one.x), y: number(one.y) })).filter(
        (one): one is Observation => one.x !== null && one.y !== null,
      ),
    };
  }
  if (from.kind === 'vector') {
    const names = texts(from.names);
    return {
      kind: 'vector',
      names,
      unit: text(from.unit),
      truth: truth(names.length),
      snapshots: gaussian(names.length),
    };
  }
  left_out.push(`${path}.kind must be one of image, map, curve, vector`);
  return null;
}
