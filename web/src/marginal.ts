// The belief about one parameter: its probability over a grid.

import { Chart } from './chart';
import { at_trial, type Marginal } from './document';
import type { FigureSpec } from './figure';
import { extent, padded, short, with_unit } from './numbers';

export function marginal_figure(marginal: Marginal, idx: number, trial: number): FigureSpec {
  const { name, unit, grid, truth, snapshots } = marginal;
  const at = (now: number): (number | null)[] => at_trial(snapshots, now)?.probability ?? [];
  return {
    id: `marginal-${idx + 1}`,
    title: `Belief about ${name || 'a parameter'}`,
    moves: snapshots.length > 1,
    caption: truth === null ? '' : 'Vertical line: the truth.',
    drawing: new Chart(
      {
        xs: grid,
        x: { label: name || 'value', unit },
        y: { label: 'probability', unit: '' },
        x_range: padded(extent(grid), 0),
        y_range: (now) => [0, 1.08 * (extent(at(now))?.[1] || 1)],
        height: () => 200,
        lines: (now) => [{ values: at(now), low: grid.map(() => 0), high: at(now), colour: 'adaptive' }],
        overlay: ({ ctx, theme, pixel, x, top, bottom }) => {
          if (truth === null) return;
          ctx.strokeStyle = theme.ink;
          ctx.lineWidth = 1.5 * pixel;
          ctx.setLineDash([6 * pixel, 4 * pixel]);
          ctx.beginPath();
          ctx.moveTo(x(truth), top);
          ctx.lineTo(x(truth), bottom);
          ctx.stroke();
        },
      },
      trial,
    ),
    describe: (now) => {
      const probability = at(now);
      const top = probability.reduce<number>(
        (best, value, place) => ((value ?? -1) > (probability[best] ?? -1) ? place : best),
        0,
      );
      return `Belief about ${name} at trial ${now}: most probable at ${short(grid[top] ?? null)} ` +
        `${unit}${truth === null ? '' : `, truth ${short(truth)} ${unit}`}.`;
    },
    table: (now) => ({
      columns: ['trial', with_unit(name || 'value', unit), 'probability'],
      rows: grid.map((value, place) => [at_trial(snapshots, now)?.trial ?? null, value, at(now)[place] ?? null]),
    }),
  };
}
