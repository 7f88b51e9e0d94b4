// Does the model describe the data? The evidence against it over trials, and where responses fell in their predictions.

import { Chart, type Plot } from './chart';
import type { Mismatch } from './document';
import { halo_text } from './drawing';
import { element } from './element';
import type { FigureSpec } from './figure';
import { extent, fixed, padded, short } from './numbers';
import { font } from './theme';

const NAMED = 4;

const ranked = ({ strategies }: Mismatch): Mismatch['strategies'] =>
  strategies
    .filter((one) => one.log10_evidence !== null)
    .sort((a, b) => (b.log10_evidence ?? 0) - (a.log10_evidence ?? 0));

export function mismatch_text(mismatch: Mismatch): string {
  const { alarm_trial, trials, false_alarm } = mismatch;
  if (alarm_trial !== null) {
    const strongest = ranked(mismatch)[0]?.name;
    return (
      `The model does not describe the responses: alarm at trial ${fixed(alarm_trial, 0)}` +
      `${strongest ? `; strongest: ${strongest}` : ''}.`
    );
  }
  const seen = trials[trials.length - 1];
  if (seen === undefined) return 'The mismatch test has seen no trial yet.';
  const alarms = false_alarm === null ? '' : ` (false alarms: at most ${short(100 * false_alarm)} % of runs)`;
  return `No mismatch found in ${fixed(seen, 0)} ${seen === 1 ? 'trial' : 'trials'}${alarms}.`;
}

export const mismatch_sentence = (mismatch: Mismatch): HTMLElement =>
  element(
    'p',
    { id: 'mismatch-sentence', class: mismatch.alarm_trial === null ? 'verdict' : 'verdict message' },
    mismatch_text(mismatch),
  );

export const mismatch_figures = (mismatch: Mismatch, trial: number): (FigureSpec | null)[] => [
  evidence_figure(mismatch, trial),
  pit_figure(mismatch, trial),
];

function evidence_figure(mismatch: Mismatch, trial: number): FigureSpec | null {
  const { trials, log10_evidence, threshold, alarm_trial } = mismatch;
  const span = extent(log10_evidence);
  if (!span) return null;
  const y_range = padded(extent(log10_evidence, [threshold, 0]), 0.1);
  const strongest = ranked(mismatch);
  const named = strongest.slice(0, NAMED).map((one) => `${one.name} ${short(one.log10_evidence)}`);
  const at_the_end =
    named.length > 0 ? ` At the end by alternative: ${named.join(', ')}${strongest.length > NAMED ? ', …' : ''}.` : '';
  return {
    id: 'mismatch-evidence',
    title: 'Evidence against the model',
    moves: true,
    caption: `Logarithm to base 10; at the dashed line the alarm is given.${at_the_end}`,
    drawing: new Chart(
      {
        xs: trials,
        x: { label: 'trial', unit: '', whole: true },
        y: { label: 'log₁₀ evidence', unit: '' },
        x_range: [0, Math.max(2, trial)],
        y_range: () => y_range,
        lines: () => [{ values: log10_evidence, colour: 'adaptive' }],
        over_trials: true,
        overlay: (plot) => {
          if (threshold !== null) draw_threshold(plot, threshold);
          if (alarm_trial !== null) draw_alarm(plot, alarm_trial, threshold ?? 0);
        },
      },
      trial,
    ),
    describe: (at) => {
      const seen = trials.filter((one) => one <= at).length;
      return (
        `${mismatch_text(mismatch)} log10 of the evidence against the model over trials, ${short(span[0])} to ${short(span[1])}` +
        `${threshold === null ? '' : `, threshold ${short(threshold)}`}. ` +
        `At trial ${at}: ${short(seen > 0 ? (log10_evidence[seen - 1] ?? null) : null)}.`
      );
    },
    table: () => ({
      columns: ['series', 'trial', 'log10 evidence'],
      rows: [
        ...trials.map((at, idx) => ['all', at, log10_evidence[idx] ?? null]),
        ...mismatch.strategies.map((one) => [one.name, trials[trials.length - 1] ?? null, one.log10_evidence]),
      ],
    }),
  };
}

function draw_threshold({ ctx, theme, pixel, left, right, y }: Plot, threshold: number): void {
  ctx.strokeStyle = theme.ink;
  ctx.lineWidth = pixel;
  ctx.setLineDash([5 * pixel, 4 * pixel]);
  ctx.beginPath();
  ctx.moveTo(left, y(threshold));
  ctx.lineTo(right, y(threshold));
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.font = font(12 * pixel, 600);
  ctx.lineWidth = 4 * pixel;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'bottom';
  halo_text(
    ctx,
    `threshold ${short(threshold)}`,
    left + 6 * pixel,
    y(threshold) - 4 * pixel,
    theme.ink,
    theme.background,
  );
}

function draw_alarm({ ctx, theme, pixel, left, right, top, bottom, x, y }: Plot, trial: number, height: number): void {
  ctx.strokeStyle = theme.warning;
  ctx.fillStyle = theme.warning;
  ctx.lineWidth = 1.5 * pixel;
  ctx.beginPath();
  ctx.moveTo(x(trial), top);
  ctx.lineTo(x(trial), bottom);
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x(trial), y(height), 4.5 * pixel, 0, 2 * Math.PI);
  ctx.fill();
  ctx.font = font(12 * pixel, 600);
  ctx.lineWidth = 4 * pixel;
  const text = `alarm, trial ${fixed(trial, 0)}`;
  const after = x(trial) + 8 * pixel + ctx.measureText(text).width < right || x(trial) < (left + right) / 2;
  ctx.textAlign = after ? 'left' : 'right';
  ctx.textBaseline = 'bottom';
  halo_text(ctx, text, x(trial) + (after ? 7 : -7) * pixel, bottom - 6 * pixel, theme.warning, theme.background);
}

/** Half width of a Gaussian's central 95 %. */
const Z95 = 1.959964;

function pit_figure({ pit_counts: counts }: Mismatch, trial: number): FigureSpec | null {
  const total = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  if (total <= 0) return null;
  const bins = counts.length;
  const expected = total / bins;
  const half = Z95 * Math.sqrt((total / bins) * (1 - 1 / bins));
  const [low, high] = [Math.max(0, expected - half), expected + half];
  const edges = Array.from({ length: bins + 1 }, (_, idx) => idx / bins);
  const top = 1.12 * Math.max(high, ...counts.map((count) => count ?? 0));
  return {
    id: 'mismatch-pit',
    title: 'Where responses fell in their predictions',
    moves: false,
    caption:
      'Responses by the probability that the belief gave to smaller ones. Where the model holds, all bars are about equal: ' +
      'the dashed line, with the band in which a bar lies with 95 % probability.',
    drawing: new Chart(
      {
        xs: [0, 1],
        x: { label: 'predicted probability of a smaller response', unit: '' },
        y: { label: 'responses', unit: '' },
        x_range: [0, 1],
        y_range: () => [0, top],
        lines: () => [
          {
            values: [expected, expected],
            low: [low, low],
            high: [high, high],
            colour: 'baseline',
            label: 'uniform',
            dash: [5, 4],
            width: 1.5,
          },
        ],
        overlay: ({ ctx, theme, pixel, x, y }) => {
          ctx.fillStyle = theme.adaptive;
          ctx.strokeStyle = theme.adaptive;
          ctx.lineWidth = 1.5 * pixel;
          counts.forEach((count, idx) => {
            if (count === null) return;
            const [left, right] = [x(edges[idx] ?? 0) + pixel, x(edges[idx + 1] ?? 1) - pixel];
            ctx.globalAlpha = 0.35;
            ctx.fillRect(left, y(count), right - left, y(0) - y(count));
            ctx.globalAlpha = 1;
            ctx.strokeRect(left, y(count), right - left, y(0) - y(count));
          });
        },
      },
      trial,
    ),
    describe: () =>
      `Histogram of ${fixed(total, 0)} responses by the predicted probability of a smaller one, ${bins} bins: ` +
      `${counts.map((count) => short(count)).join(', ')}; ${short(expected)} expected in each.`,
    table: () => ({
      columns: ['from', 'to', 'responses', 'expected'],
      rows: counts.map((count, idx) => [edges[idx] ?? null, edges[idx + 1] ?? null, count, expected]),
    }),
  };
}
