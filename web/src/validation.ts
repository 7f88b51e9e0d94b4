// Validation: repeats of fixed stimuli that the belief never saw, against what it predicts for them.

import { Chart, type Plot } from './chart';
import type { Column, Correlation, FigureOfMerit, RepeatedStimulus, Validation } from './document';
import { halo_text } from './drawing';
import { element } from './element';
import type { FigureSpec } from './figure';
import { figures_of_merit } from './figures';
import { extent, fixed, padded, roomy, short, supported_digits } from './numbers';
import { font } from './theme';

const MOST_LABELS = 24;

interface Observed {
  stimulus: RepeatedStimulus;
  count: number;
  mean: number;
  /** Of the mean; null for one response. */
  standard_error: number | null;
  /** Of one response; null for one response. */
  deviation: number | null;
}

function observed(stimulus: RepeatedStimulus): Observed | null {
  const values = stimulus.responses.filter((value): value is number => value !== null);
  if (values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null;
  return {
    stimulus,
    count: values.length,
    mean,
    deviation,
    standard_error: deviation === null ? null : deviation / Math.sqrt(values.length),
  };
}

export function validation_sentence({ share, stimuli }: Validation): string {
  const repeats = stimuli.reduce((sum, one) => sum + one.trials.length, 0);
  if (repeats === 0) return 'No repeated stimulus has been shown yet.';
  const part = share === null ? '' : `, at a share of ${short(100 * share)} % of the trials`;
  return (
    `${fixed(stimuli.length, 0)} fixed ${stimuli.length === 1 ? 'stimulus was' : 'stimuli were'} shown ` +
    `${repeats === 1 ? 'once' : `${fixed(repeats, 0)} times in all`}${part}. These responses never updated the belief.`
  );
}

export function validation_numbers({ ceiling, model, drift }: Validation): HTMLElement | null {
  const correlation = (label: string, given: Correlation | null, note: string): FigureOfMerit[] =>
    given
      ? [
          {
            label,
            value: given.correlation,
            unit: '',
            low: given.low,
            high: given.high,
            digits: Math.max(2, supported_digits(given.low, given.high)),
            note,
          },
        ]
      : [];
  const slope: FigureOfMerit[] = drift
    ? [
        {
          label: 'Drift',
          value: drift.slope,
          unit: drift.unit,
          low: drift.low,
          high: drift.high,
          digits: Math.max(2, supported_digits(drift.low, drift.high)),
          note: drift.p_value === null ? '' : `p ${p_text(drift.p_value)}`,
        },
      ]
    : [];
  return figures_of_merit([
    ...correlation('Correlation of the estimate', model, 'predicted with mean responses'),
    ...correlation('Highest that the noise allows', ceiling, 'correlation of a perfect model'),
    ...slope,
  ]);
}

const p_text = (p: number): string => (p < 0.001 ? '< 0.001' : `= ${fixed(p, p < 0.1 ? 3 : 2)}`);

export const validation_note = ({ note }: Validation): HTMLElement | null =>
  note ? element('p', { class: 'note' }, note) : null;

export function validation_figures(validation: Validation, trial: number): (FigureSpec | null)[] {
  const seen = validation.stimuli.map(observed).filter((one): one is Observed => one !== null);
  return [prediction_figure(seen, trial), repeats_figure(validation, seen, trial)];
}

function prediction_figure(seen: Observed[], trial: number): FigureSpec | null {
  const drawn = seen.filter((one) => one.stimulus.predicted !== null);
  if (drawn.length === 0) return null;
  const ends = drawn.flatMap(({ mean, standard_error }) => [
    mean - (standard_error ?? 0),
    mean + (standard_error ?? 0),
  ]);
  const predictions = drawn.flatMap(({ stimulus: one }) => [one.predicted, one.predicted_low, one.predicted_high]);
  const both = roomy(extent(ends, predictions));
  return {
    id: 'prediction',
    title: 'Mean responses against the prediction',
    moves: false,
    caption:
      'One mark a stimulus. Upwards: the mean response with its standard error. Across: what the belief predicts, ' +
      'with its 90 % interval. On the dashed line both agree.',
    drawing: new Chart(
      {
        xs: both,
        x: { label: 'predicted mean response', unit: '' },
        y: { label: 'mean response', unit: '' },
        x_range: both,
        y_range: () => both,
        height: (width) => Math.round(Math.min(400, Math.max(260, width * 0.72))),
        lines: () => [{ values: both, colour: 'baseline', dash: [5, 4], width: 1 }],
        overlay: (plot) => {
          draw_labels(plot, drawn);
          draw_crosses(plot, drawn);
        },
      },
      trial,
    ),
    describe: () =>
      `Mean response of ${drawn.length} repeated stimuli against the prediction. ` +
      drawn
        .slice(0, 20)
        .map(
          ({ stimulus: one, mean, standard_error }) =>
            `${one.label}: ${short(mean)}${standard_error === null ? '' : ` ± ${short(standard_error)}`}, ` +
            `predicted ${short(one.predicted)}`,
        )
        .join('; ') +
      '.',
    table: () => ({
      columns: ['stimulus', 'responses', 'mean', 'standard error', 'predicted', 'predicted low', 'predicted high'],
      rows: drawn.map(({ stimulus: one, count, mean, standard_error }) => [
        one.label,
        count,
        mean,
        standard_error,
        one.predicted,
        one.predicted_low,
        one.predicted_high,
      ]),
    }),
  };
}

function draw_crosses({ ctx, theme, pixel, x, y }: Plot, drawn: Observed[]): void {
  ctx.strokeStyle = theme.adaptive;
  ctx.fillStyle = theme.adaptive;
  ctx.lineWidth = 1.5 * pixel;
  for (const { stimulus: one, mean, standard_error } of drawn) {
    const [across, up] = [x(one.predicted ?? 0), y(mean)];
    ctx.beginPath();
    if (one.predicted_low !== null && one.predicted_high !== null) {
      ctx.moveTo(x(one.predicted_low), up);
      ctx.lineTo(x(one.predicted_high), up);
    }
    if (standard_error !== null) {
      ctx.moveTo(across, y(mean - standard_error));
      ctx.lineTo(across, y(mean + standard_error));
    }
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(across, up, 4 * pixel, 0, 2 * Math.PI);
    ctx.fill();
  }
}

function draw_labels({ ctx, theme, pixel, x, y, left, right, top, bottom }: Plot, drawn: Observed[]): void {
  if (drawn.length > MOST_LABELS) return;
  ctx.font = font(12 * pixel);
  ctx.lineWidth = 4 * pixel;
  // Left edge, middle line and width of what must not be covered: all marks, and the labels so far.
  const taken = drawn.map(({ stimulus: one, mean }): [number, number, number] => [
    x(one.predicted ?? 0) - 5 * pixel,
    y(mean),
    10 * pixel,
  ]);
  for (const { stimulus: one, mean } of drawn) {
    const [across, up] = [x(one.predicted ?? 0), y(mean)];
    const width = ctx.measureText(one.label).width;
    const covered = (start: number, place: number): boolean =>
      start < left ||
      start + width > right ||
      place < top + 6 * pixel ||
      place > bottom - 6 * pixel ||
      taken.some(
        ([at, high, wide]) =>
          Math.abs(high - place) < (wide > 10 * pixel ? 13 : 9) * pixel && at < start + width && start < at + wide,
      );
    const [after, before] = [across + 7 * pixel, across - 7 * pixel - width];
    const free = [
      [after, up - 10 * pixel],
      [after, up + 11 * pixel],
      [before, up - 10 * pixel],
      [before, up + 11 * pixel],
    ].find(([start = 0, place = 0]) => !covered(start, place));
    // Without a free place the name is left to the description and the CSV.
    if (!free) continue;
    const [start = 0, place = 0] = free;
    taken.push([start, place, width]);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    halo_text(ctx, one.label, start, place, theme.soft, theme.background);
  }
}

interface Repeat {
  label: string;
  trial: number;
  response: number | null;
  standardised: number | null;
}

function repeats_figure({ drift }: Validation, seen: Observed[], trial: number): FigureSpec | null {
  const repeats = seen
    .flatMap(({ stimulus, mean, deviation }) =>
      stimulus.trials.map((at, idx): Repeat => {
        const response = stimulus.responses[idx] ?? null;
        return {
          label: stimulus.label,
          trial: at,
          response,
          standardised: response === null || !deviation ? null : (response - mean) / deviation,
        };
      }),
    )
    .sort((a, b) => a.trial - b.trial);
  const drawn = repeats.filter((one) => one.standardised !== null);
  if (drawn.length === 0) return null;
  const values = drawn.map((one) => one.standardised);
  const xs = drawn.map((one) => one.trial);
  const middle = xs.reduce((sum, at) => sum + at, 0) / xs.length;
  const line = (slope: number | null): Column =>
    xs.map((at) => (slope === null ? null : (slope * (at - middle)) / 100));
  const [low, high] = [line(drift?.low ?? null), line(drift?.high ?? null)];
  // The two slopes cross in the middle; a band needs its lower edge below.
  const edge = (pick: (...pair: number[]) => number): Column =>
    low.map((one, idx) => (one === null || high[idx] == null ? null : pick(one, high[idx] as number)));
  const y_range = padded(extent(values), 0.08);
  const drawn_slope = drift !== null && drift.slope !== null;
  return {
    id: 'repeats',
    title: 'Repeats over trials',
    moves: true,
    caption:
      'One dot a repeat: its distance from the mean of its stimulus, in standard deviations of that stimulus. ' +
      'Faint: after the chosen trial.' +
      (drawn_slope ? ' Line: the drift, with the band of its 95 % interval.' : ''),
    drawing: new Chart(
      {
        xs,
        x: { label: 'trial', unit: '', whole: true },
        y: { label: 'standardised response', unit: '' },
        x_range: [0, Math.max(2, trial)],
        y_range: () => y_range,
        lines: (at) => [
          {
            values: drawn.map((one) => (one.trial > at ? one.standardised : null)),
            colour: 'observation',
            dots: 5,
            alpha: 0.25,
          },
          {
            values: drawn.map((one) => (one.trial <= at ? one.standardised : null)),
            colour: 'observation',
            dots: 5,
            alpha: 0.85,
          },
          ...(drawn_slope
            ? [
                {
                  values: line(drift?.slope ?? null),
                  low: edge(Math.min),
                  high: edge(Math.max),
                  colour: 'adaptive' as const,
                  label: 'drift',
                },
              ]
            : []),
        ],
      },
      trial,
    ),
    describe: (at) =>
      `${drawn.length} repeats, each as distance from the mean of its stimulus in standard deviations, ` +
      `${short(extent(values)?.[0] ?? null)} to ${short(extent(values)?.[1] ?? null)}; ` +
      `${drawn.filter((one) => one.trial <= at).length} of them up to trial ${at}.` +
      (drawn_slope ? ` Drift ${short(drift?.slope ?? null)} ${drift?.unit ?? ''}.` : ''),
    table: () => ({
      columns: ['stimulus', 'trial', 'response', 'standardised response'],
      rows: repeats.map((one) => [one.label, one.trial, one.response, one.standardised]),
    }),
  };
}
