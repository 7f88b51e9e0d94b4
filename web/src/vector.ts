// Parameters with no shape to draw: a row each, mean with error bar, the truth beside it.

import { at_trial, type VectorEstimate } from './document';
import { fitting_text, Painted } from './drawing';
import type { FigureSpec } from './figure';
import { extent, roomy, round_ticks, short, with_unit } from './numbers';
import { font } from './theme';

/** Half width of a Gaussian's central 95 %. */
const Z95 = 1.959964;

export function vector_figure(estimate: VectorEstimate, trial: number): FigureSpec | null {
  const { names, truth, snapshots } = estimate;
  if (names.length === 0 || (snapshots.length === 0 && truth.length === 0)) return null;
  const last = snapshots[snapshots.length - 1];
  const edge = (sign: number): (number | null)[] =>
    (last?.mean ?? []).map((mean, idx) => (mean === null ? null : mean + sign * Z95 * (last?.sd[idx] ?? 0)));
  const [low, high] = roomy(extent(truth, edge(-1), edge(1), [0]));
  const row = Math.max(13, Math.min(28, 640 / names.length));
  const below = 48;

  return {
    id: 'parameters',
    title: 'Parameters',
    moves: snapshots.length > 1,
    wide: true,
    caption: `Mean of the belief with its central 95 % interval${truth.length > 0 ? '; open diamonds: the truth' : ''}. ` +
      `An arrow marks an interval that goes on beyond the axis.`,
    drawing: new Painted(
      {
        height: () => Math.round(names.length * row + below + 8),
        paint: ({ ctx, width, theme }, at) => {
          const snapshot = at_trial(snapshots, at);
          ctx.font = font(Math.min(12, row - 1));
          const margin = Math.min(width * 0.35, Math.max(...names.map((name) => ctx.measureText(name).width)) + 14);
          const bottom = 8 + names.length * row;
          const right = width - 16;
          const x = (value: number): number => margin + ((value - low) / (high - low)) * (right - margin);
          const ticks = round_ticks(low, high, Math.max(3, (right - margin) / 80));
          ctx.textAlign = 'center';
          ctx.textBaseline = 'top';
          ticks.values.forEach((value, idx) => {
            ctx.fillStyle = value === 0 ? theme.soft : theme.grid;
            ctx.fillRect(Math.round(x(value)), 8, 1, bottom - 8);
            ctx.fillStyle = theme.soft;
            ctx.fillText(ticks.text[idx] ?? '', x(value), bottom + 6);
          });
          ctx.fillText(with_unit('value', estimate.unit), (margin + right) / 2, bottom + 26);
          ctx.textBaseline = 'middle';
          names.forEach((name, idx) => {
            const y = 8 + (idx + 0.5) * row;
            ctx.fillStyle = theme.ink;
            ctx.textAlign = 'right';
            ctx.fillText(fitting_text(ctx, name, margin - 12), margin - 10, y);
            const [mean, sd, true_value] = [snapshot?.mean[idx] ?? null, snapshot?.sd[idx] ?? null, truth[idx] ?? null];
            if (mean !== null) {
              ctx.fillStyle = theme.adaptive;
              if (sd !== null) draw_interval(ctx, x(mean - Z95 * sd), x(mean + Z95 * sd), y, margin, right);
              if (mean >= low && mean <= high) {
                ctx.beginPath();
                ctx.arc(x(mean), y, 4, 0, 2 * Math.PI);
                ctx.fill();
              }
            }
            if (true_value !== null) {
              ctx.strokeStyle = theme.ink;
              ctx.lineWidth = 1.5;
              ctx.beginPath();
              ctx.moveTo(x(true_value) - 5, y);
              ctx.lineTo(x(true_value), y - 5);
              ctx.lineTo(x(true_value) + 5, y);
              ctx.lineTo(x(true_value), y + 5);
              ctx.closePath();
              ctx.stroke();
            }
          });
        },
      },
      trial,
    ),
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
        columns: [
          'trial',
          'name',
          with_unit('mean', estimate.unit),
          with_unit('sd', estimate.unit),
          with_unit('truth', estimate.unit),
        ],
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
