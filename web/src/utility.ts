// Why a stimulus was chosen: the utility of every candidate at the chosen trial.

import { Chart } from './chart';
import { at_trial, type Utility, type UtilityCurve } from './document';
import { halo_text } from './drawing';
import type { FigureSpec } from './figure';
import { capital, extent, padded, roomy, short, with_unit } from './numbers';
import { font } from './theme';

export const utility_words = ({ label }: Utility): string => capital(label || 'expected gain');

export function utility_figure(curve: UtilityCurve, utility: Utility, trial: number): FigureSpec | null {
  const { x, snapshots, unit } = curve;
  if (x.length === 0 || snapshots.length === 0) return null;
  const name = curve.label || 'stimulus';
  const measured = (value: number): string => [short(value), utility.unit].filter(Boolean).join(' ');
  const values = (at: number): (number | null)[] => at_trial(snapshots, at)?.values ?? [];
  const chosen = (at: number): { x: number; y: number } | null => {
    const snapshot = at_trial(snapshots, at);
    const place = snapshot?.chosen === null || snapshot?.chosen === undefined ? null : (x[snapshot.chosen] ?? null);
    const height = snapshot?.values[snapshot.chosen ?? -1] ?? null;
    return place === null || height === null ? null : { x: place, y: height };
  };
  return {
    id: 'utility',
    title: 'Utility of each candidate',
    moves: snapshots.length > 1,
    caption: `${utility_words(utility)} at the chosen trial; the dot is the stimulus that was shown.`,
    drawing: new Chart(
      {
        xs: x,
        x: { label: name, unit },
        y: { label: 'utility', unit: utility.unit },
        x_range: padded(extent(x), 0.02),
        y_range: (at) => roomy(extent(values(at))),
        lines: (at) => [{ values: values(at), colour: 'adaptive' }],
        overlay: ({ ctx, theme, pixel, x: across, y: up, left, right }, at) => {
          const dot = chosen(at);
          if (!dot) return;
          ctx.fillStyle = theme.observation;
          ctx.beginPath();
          ctx.arc(across(dot.x), up(dot.y), 5 * pixel, 0, 2 * Math.PI);
          ctx.fill();
          ctx.font = font(12 * pixel, 600);
          ctx.lineWidth = 4 * pixel;
          ctx.textBaseline = 'middle';
          const after = across(dot.x) < (left + right) / 2;
          ctx.textAlign = after ? 'left' : 'right';
          halo_text(
            ctx,
            'chosen',
            across(dot.x) + (after ? 9 : -9) * pixel,
            up(dot.y),
            theme.observation,
            theme.background,
          );
        },
      },
      trial,
    ),
    describe: (at) => {
      const span = extent(values(at));
      const dot = chosen(at);
      return (
        `Utility of ${x.length} candidates at trial ${at_trial(snapshots, at)?.trial}: ` +
          `${span ? `${short(span[0])} to ${measured(span[1])}` : 'no values'}` +
        `${dot ? `; chosen: ${name} ${short(dot.x)} ${unit} with ${measured(dot.y)}` : ''}.`
      );
    },
    table: (at) => {
      const snapshot = at_trial(snapshots, at);
      return {
        columns: ['trial', with_unit(name, unit), with_unit('utility', utility.unit), 'chosen'],
        rows: x.map((value, idx) => [
          snapshot?.trial ?? null,
          value,
          snapshot?.values[idx] ?? null,
          snapshot?.chosen === idx ? 1 : 0,
        ]),
      };
    },
  };
}
