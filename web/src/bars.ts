// A vector of values as bars about zero, with error bars and the truth where they are known.

import type { Column } from './document';
import type { Box } from './drawing';
import type { Theme } from './theme';

export interface BarValues {
  mean: Column;
  sd: Column;
  truth: Column;
}

/** Paints `bars` in `box`; `low` and `high` are the values at its lower and upper edge. */
export function draw_bars(
  ctx: CanvasRenderingContext2D,
  box: Box,
  { mean, sd, truth }: BarValues,
  [low, high]: [number, number],
  theme: Theme,
): void {
  const y = (value: number): number => box.y + box.height * (1 - (value - low) / (high - low || 1));
  const room = box.width / Math.max(1, mean.length);
  const gap = room > 4 ? 1 : 0;
  mean.forEach((value, idx) => {
    const x = box.x + idx * room;
    const middle = x + room / 2;
    if (value !== null) {
      ctx.fillStyle = theme.adaptive;
      ctx.fillRect(
        x + gap / 2,
        Math.min(y(0), y(value)),
        Math.max(0.75, room - gap),
        Math.max(0.75, Math.abs(y(value) - y(0))),
      );
      const spread = sd[idx] ?? null;
      if (spread !== null && room >= 4) {
        ctx.fillStyle = theme.ink;
        ctx.fillRect(middle - 0.5, y(value + spread), 1, y(value - spread) - y(value + spread));
      }
    }
    const true_value = truth[idx] ?? null;
    if (true_value === null) return;
    ctx.fillStyle = theme.observation;
    ctx.fillRect(x, y(true_value) - 1, Math.max(1, room - gap), 2);
  });
  ctx.fillStyle = theme.soft;
  ctx.fillRect(box.x, y(0) - 0.5, box.width, 1);
}
