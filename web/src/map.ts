// A map over two coordinates: mean with the points observed so far, the truth, the uncertainty.

import { picture } from './colour';
import { at_trial, type Column, type MapEstimate, type MapObservation } from './document';
import { hatch, Painted, type Box, type Painting, type Sheet } from './drawing';
import type { FigureSpec } from './figure';
import { capital, extent, round_ticks, short, with_unit } from './numbers';
import {
  draw_axes,
  draw_bar_below,
  draw_frame,
  draw_title,
  panel_layout,
  type PanelLayout,
  type Picture,
} from './panels';
import { places_of } from './places';
import { sequential_scale, uncertainty_scale } from './scales';

export interface MapPicture extends Picture {
  /** Points drawn over the picture. */
  points: MapObservation[];
}
type Axes = Pick<MapEstimate, 'x' | 'y' | 'x_label' | 'x_unit' | 'y_label' | 'y_unit'>;

/** Edges of the cells about ascending `centres`: half way between them. */
function edges(centres: number[]): number[] {
  const [first = 0, last = 0] = [centres[0], centres[centres.length - 1]];
  const inner = centres.slice(1).map((value, idx) => (value + (centres[idx] ?? value)) / 2);
  const start = inner.length > 0 ? 2 * first - (inner[0] ?? first) : first - 0.5;
  const end = inner.length > 0 ? 2 * last - (inner[inner.length - 1] ?? last) : last + 0.5;
  return [start, ...inner, end];
}

/** Where both axes have one unit, a length is the same on both. */
function map_ratio({ x_unit, y_unit }: Axes, x_span: number, y_span: number): number {
  const ratio = y_span / x_span;
  return x_unit === y_unit && ratio > 0.3 && ratio < 3 ? ratio : 0.8;
}

export function map_painting(axes: Axes, pictures: (trial: number) => MapPicture[], trial: number): Painting {
  const [x_edges, y_edges] = [edges(axes.x), edges(axes.y)];
  const span = (all: number[]): [number, number] => [all[0] ?? 0, all[all.length - 1] ?? 1];
  const [[x_low, x_high], [y_low, y_high]] = [span(x_edges), span(y_edges)];
  const across_of = (x: number): number => (x_high > x_low ? (x - x_low) / (x_high - x_low) : 0.5);
  const down_of = (y: number): number => (y_high > y_low ? (y_high - y) / (y_high - y_low) : 0.5);
  const ratio = map_ratio(axes, x_high - x_low || 1, y_high - y_low || 1);
  const left = 34 + 7 * Math.max(...round_ticks(y_low, y_high, 6).text.map((text) => text.length));
  const count = pictures(trial).length;
  const layout = (width: number): PanelLayout => panel_layout(width, count, ratio, left);

  return {
    height: (width) => layout(width).height,
    paint: (sheet, at) => {
      const { boxes, across } = layout(sheet.width);
      pictures(at).forEach((one, idx) => {
        const box = boxes[idx];
        if (!box) return;
        draw_title(sheet, box, one.title);
        draw_cells(sheet, box, one, x_edges.map(across_of), y_edges.map(down_of));
        draw_points(sheet, box, one.points, across_of, down_of);
        const x_ticks = round_ticks(x_low, x_high, Math.max(3, box.width / 50));
        const y_ticks = round_ticks(y_low, y_high, Math.max(2, box.height / 34));
        draw_axes(
          sheet,
          box,
          {
            places: x_ticks.values.map(across_of),
            text: x_ticks.text,
            label: with_unit(axes.x_label || 'x', axes.x_unit),
          },
          {
            places: y_ticks.values.map(down_of),
            text: y_ticks.text,
            label: with_unit(axes.y_label || 'y', axes.y_unit),
          },
          idx % across === 0,
        );
        draw_bar_below(sheet, box, one);
      });
    },
  };
}

/** Cells between edges (0 to 1), which need not be even: first all columns are stretched, then all rows. */
function draw_cells(sheet: Sheet, box: Box, { values, scale }: Picture, x_edges: number[], y_edges: number[]): void {
  const { ctx, theme } = sheet;
  const [columns, rows] = [x_edges.length - 1, y_edges.length - 1];
  if (values.some((value) => value === null)) hatch(ctx, box, theme.soft);
  const small = picture(values, rows, columns, scale);
  const fine = Math.max(1, Math.round(box.width * ctx.getTransform().a));
  const stretched = document.createElement('canvas');
  [stretched.width, stretched.height] = [fine, rows];
  const stretch = stretched.getContext('2d');
  if (!stretch) return;
  stretch.imageSmoothingEnabled = false;
  for (let column = 0; column < columns; ++column) {
    const from = Math.round((x_edges[column] ?? 0) * fine);
    stretch.drawImage(small, column, 0, 1, rows, from, 0, Math.round((x_edges[column + 1] ?? 1) * fine) - from, rows);
  }
  ctx.imageSmoothingEnabled = false;
  const zoom = ctx.getTransform().d;
  const on_pixel = (place: number): number => Math.round((box.y + place * box.height) * zoom) / zoom;
  for (let row = 0; row < rows; ++row) {
    const [bottom, top] = [on_pixel(y_edges[row] ?? 1), on_pixel(y_edges[row + 1] ?? 0)];
    ctx.drawImage(stretched, 0, row, fine, 1, box.x, top, box.width, bottom - top);
  }
  draw_frame(ctx, box, theme);
}

/** Rings that show on dark and on light cells. */
function draw_points(
  { ctx }: Sheet,
  box: Box,
  points: MapObservation[],
  across: (x: number) => number,
  down: (y: number) => number,
): void {
  const radius = Math.max(1.5, Math.min(4, box.width / 60, 40 / Math.sqrt(points.length || 1)));
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.x, box.y, box.width, box.height);
  ctx.clip();
  for (const point of points) {
    ctx.beginPath();
    ctx.arc(box.x + across(point.x) * box.width, box.y + down(point.y) * box.height, radius, 0, 2 * Math.PI);
    ctx.fillStyle = '#ffffff';
    ctx.fill();
    ctx.strokeStyle = '#16191d';
    ctx.lineWidth = Math.min(1.25, radius * 0.5);
    ctx.stroke();
  }
  ctx.restore();
}

export function map_figure(estimate: MapEstimate, trial: number): FigureSpec | null {
  const { x, y, truth, snapshots, observations, unit } = estimate;
  if (x.length === 0 || y.length === 0 || (snapshots.length === 0 && truth.length === 0)) return null;
  const values = sequential_scale(truth, snapshots[snapshots.length - 1]?.mean ?? []);
  const sds = uncertainty_scale(...snapshots.map((one) => one.sd));
  const bar = unit || 'value';
  const seen = (at: number): MapObservation[] => observations.filter((one) => one.trial <= at);
  const pictures = (at: number): MapPicture[] => {
    const snapshot = at_trial(snapshots, at);
    const shown: MapPicture[] = [];
    const add = (title: string, column: Column, scale: Picture['scale'], points: MapObservation[]): void => {
      shown.push({ title, bar, values: column, scale, points });
    };
    if (snapshot) add('Mean', snapshot.mean, values, seen(at));
    if (truth.length > 0) add('Truth', truth, values, []);
    if (snapshot) add('Uncertainty (sd)', snapshot.sd, sds, []);
    return shown;
  };
  const where = `${estimate.x_label || 'x'} and ${estimate.y_label || 'y'}`;
  const range_text = (column: Column): string => {
    const span = extent(column);
    return span ? `${short(span[0])} to ${short(span[1])}${unit ? ` ${unit}` : ''}` : 'no values';
  };

  return {
    id: 'map',
    title: `Map over ${where}`,
    moves: snapshots.length > 1 || observations.length > 0,
    wide: true,
    caption:
      `Mean and standard deviation of the belief at the chosen trial${sds.logarithmic ? ', the latter on a logarithmic scale' : ''}. ` +
      (observations.length > 0 ? 'Dots: the points observed so far. ' : '') +
      (truth.length > 0 ? 'Mean and truth share one colour range, the same at every trial; ' : '') +
      (truth.length > 0 ? 'a' : 'A') +
      ' pointed end of a colour bar marks values beyond it. A hatched cell has no value.',
    drawing: new Painted(map_painting(estimate, pictures, trial), trial),
    describe: (at) => {
      const snapshot = at_trial(snapshots, at);
      return [
        `${capital(where)}, ${x.length} by ${y.length} cells${snapshot ? ` at trial ${snapshot.trial}` : ''}.`,
        snapshot ? `Mean ${range_text(snapshot.mean)}, standard deviation ${range_text(snapshot.sd)}.` : '',
        truth.length > 0 ? `Truth ${range_text(truth)}.` : '',
        `${seen(at).length} observed points shown.`,
      ]
        .filter(Boolean)
        .join(' ');
    },
    table: (at) => {
      const snapshot = at_trial(snapshots, at);
      const places = places_of(estimate);
      return {
        columns: [
          'series',
          'trial',
          ...places.columns,
          with_unit('mean', unit),
          with_unit('sd', unit),
          with_unit('truth', unit),
        ],
        rows: [
          ...places.rows.map((place, idx) => [
            'map',
            snapshot?.trial ?? null,
            ...place,
            snapshot?.mean[idx] ?? null,
            snapshot?.sd[idx] ?? null,
            truth[idx] ?? null,
          ]),
          ...seen(at).map((one) => ['observation', one.trial, one.x, one.y, one.r, null, null]),
        ],
      };
    },
  };
}
