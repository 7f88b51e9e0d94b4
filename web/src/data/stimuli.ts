// The stimuli in the order in which they were shown.

import { by_trial, column, fitted, shape, text, type Column, type Members } from './fields';

export interface ImageStimuli {
  kind: 'image';
  shape: [number, number];
  unit: string;
  strip: { trial: number; values: Column }[];
  caption: string;
}
export interface ValueStimuli {
  kind: 'value';
  label: string;
  unit: string;
  values: Column;
  caption: string;
}
/** Two coordinates, one pair a trial. */
export interface PointStimuli {
  kind: 'point';
  x: Column;
  y: Column;
  x_label: string;
  x_unit: string;
  y_label: string;
  y_unit: string;
  caption: string;
}
export type Stimuli = ImageStimuli | ValueStimuli | PointStimuli;

export function read_stimuli(from: Members | null, left_out: string[]): Stimuli | null {
  if (!from) return null;
  const size = shape(from.shape);
  const caption = text(from.caption);
  if (from.kind === 'image' && size) {
    const strip = by_trial(from.strip, (one) => ({ values: fitted(one.values, size[0] * size[1]) }));
    return { kind: 'image', shape: size, unit: text(from.unit), strip, caption };
  }
  if (from.kind === 'value')
    return { kind: 'value', label: text(from.label), unit: text(from.unit), values: column(from.values), caption };
  if (from.kind === 'point') {
    const length = Math.max(column(from.x).length, column(from.y).length);
    return {
      kind: 'point',
      x: fitted(from.x, length),
      y: fitted(from.y, length),
      x_label: text(from.x_label),
      x_unit: text(from.x_unit),
      y_label: text(from.y_label),
      y_unit: text(from.y_unit),
      caption,
    };
  }
  left_out.push('stimuli must be an image with its shape, a value or a point');
  return null;
}

/** The last trial of which they tell. */
export function last_of_stimuli(stimuli: Stimuli): number {
  if (stimuli.kind === 'image') return stimuli.strip[stimuli.strip.length - 1]?.trial ?? 0;
  return stimuli.kind === 'point' ? stimuli.x.length : stimuli.values.length;
}
