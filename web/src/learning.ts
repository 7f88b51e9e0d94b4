// Learning curves: what the adaptive design gains over its baselines.

import { Chart, type LineSpec, type Plot } from './chart';
import type { Column, LearningCurve, Saved } from './document';
import { halo_text } from './drawing';
import type { FigureSpec } from './figure';
import { capital, extent, fixed, roomy, short, supported_digits, with_unit } from './numbers';
import { font } from './theme';

/** Within a role the dash tells designs apart. */
export const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** `values` at `trials`, placed among all `xs`; elsewhere undefined, which a line passes over while it stops at null. */
function placed(trials: number[], values: Column, place_of: Map<number, number>): Column {
  const full: (number | null | undefined)[] = new Array(place_of.size).fill(undefined);
  trials.forEach((trial, idx) => {
    full[place_of.get(trial) ?? 0] = values[idx] ?? null;
  });
  return full as Column;
}

/** A ratio of trials in words; below one the adaptive design needs more of them. */
const fewer = ({ ratio, low, high }: Saved): string => {
  if (ratio === null || ratio <= 0) return '';
  if (ratio >= 1) return `${fixed(ratio, supported_digits(low, high))}× fewer trials`;
  return `${fixed(1 / ratio, supported_digits(high && 1 / high, low && 1 / low))}× more trials`;
};

function saved_text(saved: Saved): string {
  const { low, high, baseline_trials, adaptive_trials, baseline, adaptive } = saved;
  const needs = (name: string, trials: number | null): string =>
    trials === null ? `${name} does not reach it` : `${name} needs ${short(Math.round(trials), 6)} trials`;
  const counts =
    adaptive_trials === null && baseline_trials === null
      ? ''
      : `${needs(adaptive || 'adaptive', adaptive_trials)}, ${needs(baseline || 'baseline', baseline_trials)}`;
  const digits = supported_digits(low, high);
  const interval = low !== null && high !== null ? ` (ratio ${fixed(low, digits)} to ${fixed(high, digits)})` : '';
  const gain = fewer(saved);
  return [counts, gain && gain + interval].filter(Boolean).join(': ');
}

function draw_saved(plot: Plot, saved: Saved, [first, end]: [number, number], higher: boolean): void {
  const { ctx, theme, pixel, bottom } = plot;
  const level = plot.y(saved.criterion);
  const inside = (trials: number | null): trials is number => trials !== null && trials >= first && trials <= end;
  const reach = [saved.adaptive_trials, saved.baseline_trials].filter(inside);
  const far = reach.length > 0 ? Math.max(...reach) : end;
  ctx.strokeStyle = theme.ink;
  ctx.lineWidth = pixel;
  ctx.setLineDash([3 * pixel, 3 * pixel]);
  ctx.beginPath();
  ctx.moveTo(plot.left, level);
  ctx.lineTo(plot.x(far), level);
  for (const trials of reach) {
    ctx.moveTo(plot.x(trials), level);
    ctx.lineTo(plot.x(trials), bottom);
  }
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.lineWidth = 4 * pixel;
  ctx.font = font(12 * pixel, 600);
  const [adaptive, baseline] = [saved.adaptive_trials, saved.baseline_trials];
  const mark = (trials: number, colour: string, after: boolean): void => {
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.arc(plot.x(trials), level, 4 * pixel, 0, 2 * Math.PI);
    ctx.fill();
    const text = short(Math.round(trials), 6);
    const right = after || plot.x(trials) - ctx.measureText(text).width - 8 * pixel < plot.left;
    ctx.textAlign = right ? 'left' : 'right';
    ctx.textBaseline = 'bottom';
    halo_text(ctx, text, plot.x(trials) + (right ? 5 : -5) * pixel, bottom - 5 * pixel, colour, theme.background);
  };
  const adaptive_first = (adaptive ?? 0) <= (baseline ?? Infinity);
  if (inside(adaptive)) mark(adaptive, theme.adaptive, !adaptive_first);
  if (inside(baseline)) mark(baseline, theme.baseline, adaptive_first);
  if (saved.ratio !== null && inside(adaptive) && inside(baseline)) {
    // On the side of the slower design, and from where the faster one crosses: there the two are furthest apart.
    const above = higher !== adaptive_first;
    ctx.textAlign = 'left';
    ctx.textBaseline = above ? 'bottom' : 'top';
    const text = fewer(saved);
    const start = Math.min(plot.x(Math.min(adaptive, baseline)) + 10 * pixel, plot.right - ctx.measureText(text).width);
    halo_text(ctx, text, start, level + (above ? -6 : 6) * pixel, theme.ink, theme.background);
  }
}

export function learning_figure(curve: LearningCurve, idx: number, trial: number, alone: boolean): FigureSpec {
  const { designs, saved } = curve;
  const name = curve.label || curve.metric || 'metric';
  const xs = [...new Set(designs.flatMap((design) => design.trials))].sort((a, b) => a - b);
  const place_of = new Map(xs.map((trial_count, place) => [trial_count, place]));
  const x_range: [number, number] = [Math.min(0, xs[0] ?? 0), Math.max(1, xs[xs.length - 1] ?? 1)];
  const y_range = roomy(
    extent(...designs.flatMap((design) => [design.mean, design.low, design.high]), [saved?.criterion ?? null]),
  );

  // Baselines first, so that the adaptive design lies on top; within a role the dash tells designs apart.
  const ordered = [...designs].sort((a, b) => Number(a.role === 'adaptive') - Number(b.role === 'adaptive'));
  const lines = ordered.map((design): LineSpec => ({
    values: placed(design.trials, design.mean, place_of),
    low: placed(design.trials, design.low, place_of),
    high: placed(design.trials, design.high, place_of),
    colour: design.role,
    label: design.name || design.role,
    dash: DASHES[designs.filter((one) => one.role === design.role).indexOf(design) % DASHES.length] ?? [],
    width: design.role === 'adaptive' ? 2.5 : 2,
  }));
  const seeds =
    curve.num_seeds === null
      ? ''
      : `Mean over ${short(curve.num_seeds, 6)} ${curve.num_seeds === 1 ? 'seed' : 'seeds'}. `;
  const better = curve.better === 'lower' || curve.better === 'higher' ? `${capital(curve.better)} is better. ` : '';
  const saving = saved ? saved_text(saved) : '';

  return {
    id: `learning-${idx + 1}`,
    title: capital(name),
    moves: true,
    wide: alone,
    caption:
      `${better}${seeds}${curve.interval ? `Band: ${curve.interval}. ` : ''}` +
        (saving ? `To reach ${short(saved?.criterion ?? null)} ${curve.unit}: ${saving}.` : '')
        .trim()
        .replace(/ +/g, ' ')
        .replace(/ :/g, ':'),
    drawing: new Chart(
      {
        xs,
        x: { label: 'trials', unit: '', whole: true },
        y: { label: name, unit: curve.unit },
        x_range,
        y_range: () => y_range,
        lines: () => lines,
        over_trials: true,
        overlay: (plot) => {
          if (saved) draw_saved(plot, saved, x_range, curve.better === 'higher');
        },
      },
      trial,
    ),
    describe: (at) =>
      `${capital(name)} against trials. ` +
      ordered
        .map(
          (design) =>
            `${design.name || design.role}: ${short(design.mean[0] ?? null)} at trial ${design.trials[0]}, ` +
              `${short(design.mean[design.mean.length - 1] ?? null)} at trial ${design.trials[design.trials.length - 1]}`,
        )
        .join('; ') +
      `. ${saving ? `${capital(saving)}. ` : ''}The mark is at trial ${at}.`,
    table: () => ({
      columns: ['design', 'role', 'trial', with_unit(name, curve.unit), 'low', 'high'],
      rows: designs.flatMap((design) =>
        design.trials.map((at, place) => [
          design.name,
          design.role,
          at,
          design.mean[place] ?? null,
          design.low[place] ?? null,
          design.high[place] ?? null,
        ]),
      ),
    }),
  };
}
