// A receptive field: mean, truth, difference and uncertainty as images on the same pixels.

import { at_trial, type Column, type ImageEstimate } from './document';
import { Painted } from './drawing';
import type { FigureSpec } from './figure';
import { extent, short, with_unit } from './numbers';
import type { Picture } from './panels';
import { pictures_painting } from './pictures';
import { places_of } from './places';
import { symmetric_scale, uncertainty_scale } from './scales';

const minus = (a: Column, b: Column): Column =>
  a.map((value, idx) => {
    const other = b[idx] ?? null;
    return value === null || other === null ? null : value - other;
  });

const range_text = (values: Column): string => {
  const span = extent(values);
  return span ? `${short(span[0])} to ${short(span[1])}` : 'no values';
};

export function image_figure(estimate: ImageEstimate, trial: number): FigureSpec | null {
  const { truth, field, snapshots, num_lags, unit } = estimate;
  if (snapshots.length === 0 && truth.length === 0) return null;
  const [rows, columns] = estimate.shape;
  const values = symmetric_scale(truth, snapshots[snapshots.length - 1]?.mean ?? []);
  const sds = uncertainty_scale(...snapshots.map((one) => one.sd));
  const bar = unit || 'value';

  const pictures = (at: number): Picture[] => {
    const snapshot = at_trial(snapshots, at);
    const shown: Picture[] = [];
    if (snapshot) shown.push({ title: 'Mean', bar, values: snapshot.mean, scale: values });
    if (truth.length > 0) {
      shown.push({ title: 'Truth', bar, values: truth, scale: values });
      if (snapshot) shown.push({ title: 'Mean \u2212 truth', bar, values: minus(snapshot.mean, truth), scale: values });
    }
    if (field.length > 0)
      shown.push({ title: 'Field of the cell', bar: 'drive', values: field, scale: symmetric_scale(field) });
    if (snapshot) shown.push({ title: 'Uncertainty (sd)', bar, values: snapshot.sd, scale: sds });
    return shown;
  };

  return {
    id: 'receptive-field',
    title: 'Receptive field',
    moves: snapshots.length > 1,
    wide: true,
    caption:
      `Mean and standard deviation of the belief at the chosen trial${sds.logarithmic ? ', the latter on a logarithmic scale' : ''}. ` +
      (truth.length > 0
        ? 'Mean, truth and difference share one colour range, the same at every trial; '
        : 'The colour range is the same at every trial; ') +
      (field.length > 0 ? 'the field that drives the cell has a range of its own; ' : '') +
      'a pointed end of a colour bar marks values beyond it. A hatched pixel has no value.',
    drawing: new Painted(pictures_painting(estimate, pictures, trial), trial),
    describe: (at) => {
      const snapshot = at_trial(snapshots, at);
      const lags = num_lags > 1 ? ` at ${num_lags} lags` : '';
      const parts = [
        `Receptive field of ${rows} by ${columns} pixels${lags}${snapshot ? ` at trial ${snapshot.trial}` : ''}.`,
      ];
      if (snapshot) parts.push(`Mean ${range_text(snapshot.mean)}, standard deviation ${range_text(snapshot.sd)}.`);
      if (truth.length > 0) parts.push(`Truth ${range_text(truth)}.`);
      if (field.length > 0) parts.push(`Field of the cell ${range_text(field)}.`);
      if (unit) parts.push(`Unit: ${unit}.`);
      return parts.join(' ');
    },
    table: (at) => {
      const snapshot = at_trial(snapshots, at);
      const places = places_of(estimate);
      return {
        columns: [
          ...['trial', ...places.columns, with_unit('mean', unit), with_unit('sd', unit), with_unit('truth', unit)],
          ...(field.length > 0 ? ['field'] : []),
        ],
        rows: places.rows.map((place, idx) => [
          snapshot?.trial ?? null,
          ...place,
          snapshot?.mean[idx] ?? null,
          snapshot?.sd[idx] ?? null,
          truth[idx] ?? null,
          ...(field.length > 0 ? [field[idx] ?? null] : []),
        ]),
      };
    },
  };
}
