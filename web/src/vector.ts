// Parameters with no shape to draw: a row each, mean with error bar, the truth beside it.

import { at_trial, type Column, type GaussianSnapshot, type VectorEstimate } from './document';
import { fitting_text, Painted, type Painting } from './drawing';
import type { FigureSpec } from './figure';
import { extent, roomy, round_ticks, short, with_unit } from './numbers';
import { font, type ColourName, type Theme } from './theme';

/** Half width of a Gaussian's central 95 %. */
const Z95 = 1.959964;

/** One belief about the parameters; several lie above each other in a row. */
export interface ParameterSeries {
  name: string;
  colour: ColourName;
  snapshots: GaussianSnapshot[];
}

export function vector_figure(estimate: VectorEstimate, trial: number): FigureSpec | null {
  const { names, unit, truth, snapshots } = estimate;
  if (names.length === 0 || (snapshots.length === 0 && truth.length === 0)) return null;
  const series: ParameterSeries[] = [{ name: '', colour: 'adaptive', snapshots }];
  return {
    id: 'parameters',
    title: 'Parameters',
    moves: snapshots.length > 1,
    wide: true,
    caption:
      `Mean of the belief with its central 95 % interval${truth.length > 0 ? '; open diamonds: the truth' : ''}. ` +
      `An arrow marks an interval that goes on beyond the axis.`,
    drawing: new Painted(parameter_painting(names, unit, truth, series), trial),
    describe: (at) => {
      const snapshot = at_trial(snapshots, at);
      return (
        `${names.length} parameters${snapshot ? ` at trial ${snapshot.trial}` : ''}: ` +
        names
          .slice(0, 20)
          .map((name, idx) => `${name} ${short(snapshot?.mean[idx] ?? null)}, sd ${short(snapshot?.sd[idx] ?? null)}`)
          .join('; ')
      );
    },
    table: (at) => {
      const snapshot = at_trial(snapshots, at);
      return {
        columns: ['trial', 'name', with_unit('mean', unit), with_unit('sd', unit), with_unit('truth', unit)],
        rows: names.map((name, idx) => [
          snapshot?.trial ?? null,
          name,
          snapshot?.mean[idx] ?? null,
          snapshot?.sd[idx] ?? null,
          truth[idx] ?? null,
        ]),
      };
    },
  };
}

/** The ends of all intervals at the last trial. */
function last_ends({ snapshots }: ParameterSeries): Column {
  const last = snapshots[snapshots.length - 1];
  return (last?.mean ?? []).flatMap((mean, idx) => {
    const half = Z95 * (last?.sd[idx] ?? 0);
    return mean === null ? [] : [mean - half, mean + half];
  });
}

export function parameter_painting(names: string[], unit: string, truth: Column, series: ParameterSeries[]): Painting {
  const [low, high] = roomy(extent(truth, ...series.map(last_ends), [0]));
  const lanes = series.length;
  const row = Math.max(13 * lanes, Math.min(28, 640 / names.length));
  const above = lanes > 1 ? 28 : 8;
  return {
    height: () => Math.round(names.length * row + 48 + above),
    paint: ({ ctx, width, theme }, at) => {
      ctx.font = font(Math.min(12, row - 1));
      const margin = Math.min(width * 0.35, Math.max(...names.map((name) => ctx.measureText(name).width)) + 14);
      const bottom = above + names.length * row;
      const right = width - 16;
      const x = (value: number): number => margin + ((value - low) / (high - low)) * (right - margin);
      const ticks = round_ticks(low, high, Math.max(3, (right - margin) / 80));
      ctx.textAlign = 'center';
      ctx.textBaseline = 'top';
      ticks.values.forEach((value, idx) => {
        ctx.fillStyle = value === 0 ? theme.soft : theme.grid;
        ctx.fillRect(Math.round(x(value)), above, 1, bottom - above);
        ctx.fillStyle = theme.soft;
        ctx.fillText(ticks.text[idx] ?? '', x(value), bottom + 6);
      });
      ctx.fillText(with_unit('value', unit), (margin + right) / 2, bottom + 26);
      ctx.textBaseline = 'middle';
      if (lanes > 1) draw_names(ctx, series, theme, margin, right);
      names.forEach((name, idx) => {
        const middle = above + (idx + 0.5) * row;
        ctx.fillStyle = theme.ink;
        ctx.textAlign = 'right';
        ctx.fillText(fitting_text(ctx, name, margin - 12), margin - 10, middle);
        series.forEach(({ colour, snapshots }, lane) => {
          const snapshot = at_trial(snapshots, at);
          const [mean, sd] = [snapshot?.mean[idx] ?? null, snapshot?.sd[idx] ?? null];
          if (mean === null) return;
          const y = middle + (lane - (lanes - 1) / 2) * Math.min(11, row / lanes);
          ctx.fillStyle = theme[colour];
          if (sd !== null) draw_interval(ctx, x(mean - Z95 * sd), x(mean + Z95 * sd), y, margin, right);
          if (mean >= low && mean <= high) draw_mark(ctx, lane, x(mean), y);
        });
        const true_value = truth[idx] ?? null;
        if (true_value === null) return;
        ctx.strokeStyle = theme.ink;
        ctx.lineWidth = 1.5;
        ctx.beginPath();
        ctx.moveTo(x(true_value) - 5, middle);
        ctx.lineTo(x(true_value), middle - 5);
        ctx.lineTo(x(true_value) + 5, middle);
        ctx.lineTo(x(true_value), middle + 5);
        ctx.closePath();
        ctx.stroke();
      });
    },
  };
}

/** A disc for the first series, a square for the second, and so on in turn: not by colour alone. */
function draw_mark(ctx: CanvasRenderingContext2D, lane: number, x: number, y: number): void {
  if (lane % 2 === 1) {
    ctx.fillRect(x - 3.5, y - 3.5, 7, 7);
    return;
  }
  ctx.beginPath();
  ctx.arc(x, y, 4, 0, 2 * Math.PI);
  ctx.fill();
}

function draw_names(
  ctx: CanvasRenderingContext2D,
  series: ParameterSeries[],
  theme: Theme,
  left: number,
  right: number,
): void {
  const room = (right - left) / series.length;
  ctx.textAlign = 'left';
  series.forEach(({ name, colour }, lane) => {
    const x = left + lane * room;
    ctx.fillStyle = theme[colour];
    draw_mark(ctx, lane, x + 4, 12);
    ctx.fillText(fitting_text(ctx, name, room - 20), x + 13, 12);
  });
}

function draw_interval(
  ctx: CanvasRenderingContext2D,
  from: number,
  to: number,
  y: number,
  left: number,
  right: number,
): void {
  const [start, end] = [Math.max(left, from), Math.min(right, to)];
  if (end > start) ctx.fillRect(start, y - 1, end - start, 2);
  const arrow = (tip: number, inwards: number): void => {
    ctx.beginPath();
    ctx.moveTo(tip, y);
    ctx.lineTo(tip + inwards * 7, y - 4);
    ctx.lineTo(tip + inwards * 7, y + 4);
    ctx.fill();
  };
  if (from < left) arrow(left, 1);
  if (to > right) arrow(right, -1);
}
