// Latency: a histogram a stage, all over one logarithmic axis of time.

import type { Latency } from './document';
import { Painted, type Sheet } from './drawing';
import type { FigureSpec } from './figure';
import { duration, fixed, log_ticks, round_ticks } from './numbers';
import { font } from './theme';

const ROW = 104;
const HEAD = 36;
const LEFT = 60;

/** Edges of a bin on a logarithmic axis, where a first edge of zero has no place: it goes to half of the next. */
function bins({ edges_us, counts }: Latency): { from: number; to: number; count: number }[] {
  return counts
    .map((count, idx) => {
      const to = edges_us[idx + 1] ?? 0;
      const from = edges_us[idx] ?? 0;
      return { from: from > 0 ? from : to / 2, to, count: count ?? 0 };
    })
    .filter((bin) => bin.count > 0 && bin.to > 0);
}

export function latency_figure(stages: Latency[], trial: number): FigureSpec | null {
  const drawn = stages.filter((stage) => bins(stage).length > 0);
  if (drawn.length === 0) return null;
  const all = drawn.flatMap(bins);
  const marks = drawn
    .flatMap((stage) => [stage.p50_us, stage.p99_us])
    .filter((value): value is number => value !== null && value > 0);
  const low = Math.min(...all.map((bin) => bin.from), ...marks) / 1.15;
  const high = Math.max(...all.map((bin) => bin.to), ...marks) * 1.15;
  return {
    id: 'latency',
    title: 'Latency by stage',
    moves: false,
    wide: true,
    caption: 'Trials in each bin of time. Lines: median (p50) and 99th percentile (p99).',
    drawing: new Painted(
      {
        height: () => drawn.length * ROW + 46,
        paint: (sheet) => {
          const x = (value: number): number =>
            LEFT + (Math.log(value / low) / Math.log(high / low)) * (sheet.width - LEFT - 12);
          draw_time_axis(sheet, low, high, x, drawn.length * ROW);
          drawn.forEach((stage, idx) => draw_stage(sheet, stage, idx * ROW, x));
        },
      },
      trial,
    ),
    describe: () =>
      `Latency by stage. ` +
        `${drawn
          .map(
            (stage) =>
              `${stage.stage}: median ${duration(stage.p50_us)}, 99th percentile ${duration(stage.p99_us)}, ` +
              `longest ${duration(stage.max_us)}`
          )
          .join('; ')}.`,
    table: () => ({
      columns: ['stage', 'from (µs)', 'to (µs)', 'count'],
      rows: stages.flatMap((stage) =>
        stage.counts.map((count, idx) => [
          stage.stage,
          stage.edges_us[idx] ?? null,
          stage.edges_us[idx + 1] ?? null,
          count,
        ]),
      ),
    }),
  };
}

function draw_time_axis(
  { ctx, width, theme }: Sheet,
  low: number,
  high: number,
  x: (value: number) => number,
  bottom: number,
): void {
  ctx.font = font(12);
  ctx.textAlign = 'center';
  ctx.textBaseline = 'top';
  for (const value of log_ticks(low, high, Math.max(3, (width - LEFT) / 64))) {
    ctx.fillStyle = theme.grid;
    ctx.fillRect(Math.round(x(value)), HEAD, 1, bottom - HEAD);
    ctx.fillStyle = theme.soft;
    ctx.fillText(duration(value), x(value), bottom + 6);
  }
  ctx.fillStyle = theme.soft;
  ctx.fillText('latency', LEFT + (width - LEFT) / 2, bottom + 26);
}

function draw_stage({ ctx, width, theme }: Sheet, stage: Latency, top: number, x: (value: number) => number): void {
  const filled = bins(stage);
  const most = Math.max(...filled.map((bin) => bin.count));
  const bottom = top + ROW;
  const y = (count: number): number => bottom - (count / most) * (ROW - HEAD - 4);
  ctx.fillStyle = theme.background;
  ctx.fillRect(LEFT, top, width - LEFT, HEAD);
  ctx.textBaseline = 'alphabetic';
  ctx.textAlign = 'left';
  ctx.fillStyle = theme.ink;
  ctx.font = font(13, 600);
  ctx.fillText(stage.stage, LEFT, top + 22);
  const name_width = ctx.measureText(stage.stage).width;
  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  const summary = [`p50 ${duration(stage.p50_us)}`, `p99 ${duration(stage.p99_us)}`, `max ${duration(stage.max_us)}`];
  while (summary.length > 0 && ctx.measureText(summary.join(' · ')).width > width - LEFT - name_width - 20)
    summary.pop();
  ctx.fillText(summary.join(' · '), LEFT + name_width + 12, top + 22);

  ctx.fillStyle = theme.adaptive;
  for (const bin of filled) {
    // A single trial in the tail must not vanish.
    const height = Math.max(1.5, bottom - y(bin.count));
    // On whole pixels, so that a narrow bar keeps its colour.
    const [left, right] = [Math.round(x(bin.from)), Math.round(x(bin.to))];
    ctx.fillRect(left, bottom - height, Math.max(1, right - left - (right - left > 3 ? 1 : 0)), height);
  }
  ctx.fillStyle = theme.soft;
  ctx.fillRect(LEFT, bottom - 0.5, width - LEFT - 12, 1);
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  const tick = round_ticks(0, most, 3, true).values.pop() ?? 0;
  ctx.fillText(fixed(tick, 0), LEFT - 6, y(tick));
  ctx.save();
  ctx.translate(12, bottom - (ROW - HEAD) / 2);
  ctx.rotate(-Math.PI / 2);
  ctx.textAlign = 'center';
  ctx.fillText('trials', 0, 0);
  ctx.restore();
  draw_percentiles(ctx, stage, x, bottom, theme.ink);
}

function draw_percentiles(
  ctx: CanvasRenderingContext2D,
  stage: Latency,
  x: (value: number) => number,
  bottom: number,
  colour: string,
): void {
  ctx.fillStyle = colour;
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  for (const [value, dash] of [
    [stage.p50_us, []],
    [stage.p99_us, [4, 3]],
  ] as const) {
    if (value === null || value <= 0) continue;
    ctx.setLineDash([...dash]);
    ctx.beginPath();
    ctx.moveTo(x(value), bottom - (ROW - HEAD));
    ctx.lineTo(x(value), bottom);
    ctx.stroke();
  }
  ctx.setLineDash([]);
}
