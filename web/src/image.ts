// A receptive field: mean, truth, difference and uncertainty as images on the same pixels.

import { DIVERGING, SEQUENTIAL, linear_scale, log_scale, picture, type ColourScale } from './colour';
import { at_trial, type Column, type ImageEstimate } from './document';
import { fitting_text, hatch, Painted, type Box, type Sheet } from './drawing';
import type { FigureSpec } from './figure';
import { extent, log_ticks, round_ticks, short, with_unit } from './numbers';
import { font, type Theme } from './theme';

interface Panel {
  title: string;
  bar: string;
  values: Column;
  scale: ColourScale;
  ticks: number[];
}

const GAP = 24;
const LEFT = 44;
const ABOVE = 24;
const BELOW = 98;
const BAR_HEIGHT = 10;
const MAX_SIDE = 340;

/** Symmetric about zero, wide enough for the truth and the last mean, the same at every trial. */
function value_scale(estimate: ImageEstimate): ColourScale {
  const last = estimate.snapshots[estimate.snapshots.length - 1];
  const span = extent(estimate.truth, last?.mean ?? []) ?? [-1, 1];
  const limit = Math.max(Math.abs(span[0]), Math.abs(span[1])) || 1;
  return linear_scale(DIVERGING, -limit, limit);
}

/** Over all trials; logarithmic where the uncertainty shrinks by more than half, or its pattern at the end would not show. */
function sd_scale(estimate: ImageEstimate): ColourScale {
  const [low, high] = extent(...estimate.snapshots.map((one) => one.sd)) ?? [0, 1];
  return low > 0 && high > 2 * low ? log_scale(SEQUENTIAL, low, high) : linear_scale(SEQUENTIAL, 0, high || 1);
}

const minus = (a: Column, b: Column): Column =>
  a.map((value, idx) => {
    const other = b[idx] ?? null;
    return value === null || other === null ? null : value - other;
  });

export function image_figure(estimate: ImageEstimate, trial: number): FigureSpec | null {
  if (estimate.snapshots.length === 0 && estimate.truth.length === 0) return null;
  const [rows, columns] = estimate.shape;
  const values = value_scale(estimate);
  const sds = sd_scale(estimate);
  const logarithmic = sds.low > 0;
  const value_ticks = round_ticks(values.low, values.high, 5).values;
  const sd_ticks = logarithmic ? log_ticks(sds.low, sds.high, 5) : round_ticks(sds.low, sds.high, 5).values;
  const bar = estimate.unit || 'value';

  const panels = (at: number): Panel[] => {
    const snapshot = at_trial(estimate.snapshots, at);
    const shown: Panel[] = [];
    if (snapshot) shown.push({ title: 'Mean', bar, values: snapshot.mean, scale: values, ticks: value_ticks });
    if (estimate.truth.length > 0) {
      shown.push({ title: 'Truth', bar, values: estimate.truth, scale: values, ticks: value_ticks });
      if (snapshot) {
        shown.push({
          title: 'Mean \u2212 truth',
          bar,
          values: minus(snapshot.mean, estimate.truth),
          scale: values,
          ticks: value_ticks,
        });
      }
    }
    if (snapshot) shown.push({ title: 'Uncertainty (sd)', bar, values: snapshot.sd, scale: sds, ticks: sd_ticks });
    return shown;
  };
  const num_panels = panels(trial).length;

  const layout = (width: number): { across: number; side: number; tall: number } => {
    const across = width >= 640 ? num_panels : Math.min(2, num_panels);
    const side = Math.max(
      20,
      Math.min(MAX_SIDE, (width - LEFT - GAP * (across - 1) - 6) / across, (MAX_SIDE * columns) / rows),
    );
    return { across, side, tall: (side * rows) / columns };
  };

  return {
    id: 'receptive-field',
    title: 'Receptive field',
    moves: estimate.snapshots.length > 1,
    wide: true,
    caption:
      `Mean and standard deviation of the belief at the chosen trial${logarithmic ? ', the latter on a logarithmic scale' : ''}. ` +
      (estimate.truth.length > 0
        ? 'Mean, truth and difference share one colour range, the same at every trial; '
        : 'The colour range is the same at every trial; ') +
      'a pointed end of a colour bar marks values beyond it. A hatched pixel has no value.',
    drawing: new Painted(
      {
        height: (width) => {
          const { across, tall } = layout(width);
          const lines = Math.ceil(num_panels / across);
          return Math.round(lines * (ABOVE + tall + BELOW) + (lines - 1) * 12);
        },
        paint: (sheet, at) => {
          const { across, side, tall } = layout(sheet.width);
          panels(at).forEach((panel, idx) => {
            const [line, place] = [Math.floor(idx / across), idx % across];
            const box = {
              x: Math.round(LEFT + place * (side + GAP)),
              y: Math.round(ABOVE + line * (ABOVE + tall + BELOW + 12)),
              width: side,
              height: tall,
            };
            draw_panel(sheet, box, panel, estimate.shape, place === 0);
          });
        },
      },
      trial,
    ),
    describe: (at) => {
      const snapshot = at_trial(estimate.snapshots, at);
      const range = (values: Column): string => {
        const span = extent(values);
        return span ? `${short(span[0])} to ${short(span[1])}` : 'no values';
      };
      const parts = [
        `Receptive field of ${rows} by ${columns} pixels${snapshot ? ` at trial ${snapshot.trial}` : ''}.`,
      ];
      if (snapshot) parts.push(`Mean ${range(snapshot.mean)}, standard deviation ${range(snapshot.sd)}.`);
      if (estimate.truth.length > 0) parts.push(`Truth ${range(estimate.truth)}.`);
      if (estimate.unit) parts.push(`Unit: ${estimate.unit}.`);
      return parts.join(' ');
    },
    table: (at) => {
      const snapshot = at_trial(estimate.snapshots, at);
      return {
        columns: [
          'trial',
          'row',
          'column',
          with_unit('mean', estimate.unit),
          with_unit('sd', estimate.unit),
          with_unit('truth', estimate.unit),
        ],
        rows: Array.from({ length: rows * columns }, (_, idx) => [
          snapshot?.trial ?? null,
          Math.floor(idx / columns),
          idx % columns,
          snapshot?.mean[idx] ?? null,
          snapshot?.sd[idx] ?? null,
          estimate.truth[idx] ?? null,
        ]),
      };
    },
  };
}

function draw_panel(sheet: Sheet, box: Box, panel: Panel, [rows, columns]: [number, number], first: boolean): void {
  const { ctx, theme } = sheet;
  ctx.fillStyle = theme.ink;
  ctx.font = font(13, 600);
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.fillText(fitting_text(ctx, panel.title, box.width), box.x, box.y - 8);
  if (panel.values.some((value) => value === null)) hatch(ctx, box, theme.soft);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(picture(panel.values, rows, columns, panel.scale), box.x, box.y, box.width, box.height);
  ctx.strokeStyle = theme.soft;
  ctx.lineWidth = 1;
  ctx.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
  draw_pixel_axes(ctx, box, theme, rows, columns, first);
  draw_colour_bar(ctx, { x: box.x, y: box.y + box.height + 52, width: box.width, height: BAR_HEIGHT }, panel, theme);
}

function draw_pixel_axes(
  ctx: CanvasRenderingContext2D,
  box: Box,
  theme: Theme,
  rows: number,
  columns: number,
  first: boolean,
): void {
  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  ctx.strokeStyle = theme.soft;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'top';
  const across = round_ticks(0, columns, Math.max(2, box.width / 40), true);
  across.values.forEach((value, idx) => {
    const x = box.x + (value / columns) * box.width;
    ctx.fillRect(x - 0.5, box.y + box.height, 1, 4);
    ctx.fillText(across.text[idx] ?? '', x, box.y + box.height + 7);
  });
  ctx.fillText('column (pixel)', box.x + box.width / 2, box.y + box.height + 23);
  const down = round_ticks(0, rows, Math.max(2, box.height / 34), true);
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  down.values.forEach((value, idx) => {
    const y = box.y + (value / rows) * box.height;
    ctx.fillRect(box.x - 4, y - 0.5, 4, 1);
    if (first) ctx.fillText(down.text[idx] ?? '', box.x - 7, y);
  });
  if (!first) return;
  ctx.save();
  ctx.translate(box.x - 34, box.y + box.height / 2);
  ctx.rotate(-Math.PI / 2);
  ctx.textAlign = 'center';
  ctx.fillText('row (pixel)', 0, 0);
  ctx.restore();
}

function draw_colour_bar(
  ctx: CanvasRenderingContext2D,
  bar: Box,
  { scale, values, ticks, bar: label }: Panel,
  theme: Theme,
): void {
  const span = extent(values);
  const beyond = 1e-9 * (scale.high - scale.low);
  const strip = Array.from({ length: 256 }, (_, idx) => idx / 255);
  ctx.imageSmoothingEnabled = true;
  ctx.drawImage(picture(strip, 1, 256, linear_scale(scale.map, 0, 1)), bar.x, bar.y, bar.width, bar.height);
  const middle = bar.y + bar.height / 2;
  const pointed = (edge: number, outwards: number, colour: readonly number[] | undefined): void => {
    ctx.fillStyle = `rgb(${(colour ?? [0, 0, 0]).join(' ')})`;
    ctx.beginPath();
    ctx.moveTo(edge, bar.y);
    ctx.lineTo(edge + outwards * 6, middle);
    ctx.lineTo(edge, bar.y + bar.height);
    ctx.fill();
  };
  if (span && span[0] < scale.low - beyond) pointed(bar.x, -1, scale.map[0]);
  if (span && span[1] > scale.high + beyond) pointed(bar.x + bar.width, 1, scale.map[scale.map.length - 1]);

  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  ctx.textBaseline = 'top';
  for (const value of ticks) {
    const x = bar.x + scale.place(value) * bar.width;
    ctx.fillRect(x - 0.5, bar.y + bar.height, 1, 3);
    const text = short(value);
    const half = ctx.measureText(text).width / 2;
    ctx.textAlign = 'center';
    ctx.fillText(text, Math.min(Math.max(x, bar.x - 10 + half), bar.x + bar.width + 10 - half), bar.y + bar.height + 5);
  }
  ctx.textAlign = 'center';
  ctx.fillText(fitting_text(ctx, label, bar.width + 20), bar.x + bar.width / 2, bar.y + bar.height + 20);
}
