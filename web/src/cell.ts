// One cell of a population, large: its estimate, and in which trials it was there.

import { draw_bars } from './bars';
import type { Cell, Column } from './document';
import { Painted, type Painting, type Sheet } from './drawing';
import { file_stem } from './export';
import type { FigureSpec } from './figure';
import { extent, fixed, padded, round_ticks, short } from './numbers';
import { draw_axes, LEFT as PANELS_LEFT, type Picture } from './panels';
import { pictures_painting } from './pictures';
import { symmetric_scale, uncertainty_scale } from './scales';
import { font } from './theme';

const PRESENCE = 76;
const LEFT = 52;

export const bits_text = (cell: Cell): string =>
  cell.information_bits === null ? 'bits unknown' : `${short(cell.information_bits)} bits`;

export function presence_text(cell: Cell, num_trials: number): string {
  const { first_trial, last_trial, num_responses } = cell;
  const when =
    first_trial === null || last_trial === null
      ? 'in unknown trials'
      : `in trials ${fixed(first_trial, 0)} to ${fixed(last_trial, 0)} of ${fixed(num_trials, 0)}`;
  return `Present ${when}${num_responses === null ? '' : `, ${fixed(num_responses, 0)} responses`}.`;
}

export function cell_figure(cell: Cell, num_trials: number): FigureSpec {
  const painting = cell.shape ? image_painting(cell, cell.shape) : bar_painting(cell);
  const range_text = (values: Column): string => {
    const span = extent(values);
    return span ? `${short(span[0])} to ${short(span[1])}` : 'no values';
  };
  const columns = cell.shape?.[1] ?? 1;
  const known = cell.truth.length > 0;
  return {
    id: `cell-${file_stem(cell.name)}`,
    title: `${cell.name}: ${bits_text(cell)}`,
    moves: false,
    wide: true,
    caption: cell.shape
      ? `${presence_text(cell, num_trials)}${known ? ' Mean and truth share one colour range.' : ''} ` +
        'A hatched pixel has no value.'
      : `${presence_text(cell, num_trials)} Bars: mean${cell.sd.length > 0 ? ', with its standard deviation' : ''}` +
        `${known ? '. Orange: the truth' : ''}.`,
    drawing: new Painted(
      {
        height: (width) => painting.height(width) + PRESENCE,
        paint: (sheet, at) => {
          painting.paint(sheet, at);
          draw_presence(sheet, cell, painting.height(sheet.width), num_trials);
        },
      },
      num_trials,
    ),
    describe: () =>
      `${cell.name}, ${bits_text(cell)}, ${cell.mean.length} values` +
      `${cell.shape ? ` of ${cell.shape[0]} by ${cell.shape[1]} pixels` : ''}. Mean ${range_text(cell.mean)}` +
      `${cell.sd.length > 0 ? `, standard deviation ${range_text(cell.sd)}` : ''}` +
      `${cell.truth.length > 0 ? `, truth ${range_text(cell.truth)}` : ''}. ${presence_text(cell, num_trials)}`,
    table: () => ({
      columns: [...(cell.shape ? ['row', 'column'] : ['index']), 'mean', 'sd', 'truth'],
      rows: cell.mean.map((value, idx) => [
        ...(cell.shape ? [Math.floor(idx / columns), idx % columns] : [idx]),
        value,
        cell.sd[idx] ?? null,
        cell.truth[idx] ?? null,
      ]),
    }),
  };
}

function image_painting(cell: Cell, shape: [number, number]): Painting {
  const scale = symmetric_scale(cell.mean, cell.truth);
  const shown: Picture[] = [{ title: 'Mean', bar: 'value', values: cell.mean, scale }];
  if (cell.truth.length > 0) shown.push({ title: 'Truth', bar: 'value', values: cell.truth, scale });
  if (cell.field.length > 0) shown.push({ title: 'Field', bar: 'drive', values: cell.field, scale: symmetric_scale(cell.field) });
  if (cell.sd.length > 0)
    shown.push({ title: 'Uncertainty (sd)', bar: 'value', values: cell.sd, scale: uncertainty_scale(cell.sd) });
  const pixels = { shape, num_lags: 1, frame_ms: null, row_label: '', column_label: '' };
  return pictures_painting(pixels, () => shown, 0);
}

function bar_painting(cell: Cell): Painting {
  const ends = cell.mean.flatMap((value, idx) => {
    const sd = cell.sd[idx] ?? 0;
    return value === null ? [] : [value - sd, value + sd];
  });
  const range = padded(extent(ends, cell.truth, [0]), 0.05);
  return {
    height: () => 250,
    paint: (sheet) => {
      const box = { x: LEFT, y: 10, width: sheet.width - LEFT - 16, height: 190 };
      const count = cell.mean.length;
      const across = round_ticks(0, count, Math.max(2, box.width / 60), true);
      const down = round_ticks(range[0], range[1], 6);
      draw_bars(sheet.ctx, box, cell, range, sheet.theme);
      draw_axes(
        sheet,
        box,
        { places: across.values.map((value) => value / Math.max(1, count)), text: across.text, label: 'index' },
        {
          places: down.values.map((value) => (range[1] - value) / (range[1] - range[0])),
          text: down.text,
          label: 'value',
        },
        true,
      );
    },
  };
}

function draw_presence({ ctx, width, theme }: Sheet, cell: Cell, top: number, num_trials: number): void {
  const left = cell.shape ? PANELS_LEFT : LEFT;
  const right = width - 16;
  const end = Math.max(1, num_trials);
  const x = (at: number): number => left + (at / end) * (right - left);
  ctx.font = font(12);
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  ctx.fillStyle = theme.soft;
  ctx.fillText('present in trials', left, top + 6);
  ctx.fillStyle = theme.grid;
  ctx.fillRect(left, top + 28, right - left, 10);
  if (cell.first_trial !== null && cell.last_trial !== null) {
    ctx.fillStyle = theme.adaptive;
    ctx.fillRect(x(cell.first_trial), top + 28, Math.max(2, x(cell.last_trial) - x(cell.first_trial)), 10);
  }
  ctx.fillStyle = theme.soft;
  ctx.textAlign = 'center';
  const ticks = round_ticks(0, end, Math.max(2, (right - left) / 80), true);
  ticks.values.forEach((value, idx) => {
    ctx.fillRect(x(value) - 0.5, top + 38, 1, 4);
    ctx.fillText(ticks.text[idx] ?? '', x(value), top + 46);
  });
}
