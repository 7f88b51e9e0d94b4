// Designs interleaved on the same cell: what each learned over its own trials.

import { Chart, type LineSpec, type Plot } from './chart';
import type { Arm, Column } from './document';
import type { FigureSpec } from './figure';
import { DASHES } from './learning';
import { capital, extent, fixed, roomy, short, with_unit } from './numbers';

interface Measure {
  id: string;
  title: string;
  label: string;
  unit: string;
  caption: string;
  values(arm: Arm): Column;
}

const MEASURES: Measure[] = [
  {
    id: 'arms-relative-error',
    title: 'Error against the truth',
    label: 'relative error',
    unit: '',
    caption: 'Distance of the mean from the truth, divided by the size of the truth.',
    values: (arm) => arm.relative_error,
  },
  {
    id: 'arms-half-logdet',
    title: 'Uncertainty of the beliefs',
    label: '½ log det',
    unit: 'nats',
    caption: '½ log det of the posterior covariance: it falls by the information gained.',
    values: (arm) => arm.half_logdet,
  },
  {
    id: 'arms-entropy',
    title: 'Entropy of the beliefs',
    label: 'entropy',
    unit: 'nats',
    caption: 'It falls by the information gained.',
    values: (arm) => arm.entropy,
  },
];

/** Baselines first, so that the adaptive design lies on top. */
export const baselines_first = (arms: Arm[]): Arm[] =>
  [...arms].sort((a, b) => Number(a.role === 'adaptive') - Number(b.role === 'adaptive'));

/** Tells an arm apart from others of its role. */
export const dash_of = (arm: Arm, arms: Arm[]): number[] =>
  DASHES[arms.filter((one) => one.role === arm.role).indexOf(arm) % DASHES.length] ?? [];

/** How many of its own trials an arm had when the whole run was at `trial`. */
export function own_trials(arm: Arm, trial: number): number {
  let [low, high] = [0, arm.trials.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((arm.trials[middle] ?? 0) <= trial) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function arms_sentence(arms: Arm[]): string | null {
  if (arms.length === 0) return null;
  const counts = arms.map((arm) => `${arm.name} ${fixed(arm.num_trials, 0)}`).join(', ');
  const who = arms.length === 1 ? 'One design' : `${arms.length} designs took turns`;
  return `${who} on the same cell${arms.length === 1 ? '' : ', each with its own belief'}. Trials: ${counts}.`;
}

export function arm_figures(arms: Arm[], trial: number): FigureSpec[] {
  const drawn = MEASURES.map((measure) => ({
    measure,
    arms: arms.filter((arm) => measure.values(arm).some((value) => value !== null)),
  })).filter((one) => one.arms.length > 0);
  return drawn.map((one) => measure_figure(one.measure, one.arms, trial, drawn.length === 1));
}

function measure_figure(measure: Measure, arms: Arm[], trial: number, alone: boolean): FigureSpec {
  const { label, unit, values } = measure;
  const ordered = baselines_first(arms);
  const most = Math.max(...arms.map((arm) => arm.trials.length));
  const span = extent(...arms.map(values));
  const y_range = roomy(span);
  const lines = ordered.map((arm): LineSpec => ({
    values: Array.from({ length: most }, (_, idx) => values(arm)[idx] ?? null),
    colour: arm.role,
    label: arm.name,
    dash: dash_of(arm, arms),
    width: arm.role === 'adaptive' ? 2.5 : 2,
  }));
  const last_value = (arm: Arm): number | null => values(arm).reduceRight((found, one) => found ?? one, null);
  return {
    id: measure.id,
    title: measure.title,
    moves: true,
    wide: alone,
    caption: `${measure.caption} Over the trials of each design alone. Marks: how far each was at the chosen trial of the run.`,
    drawing: new Chart(
      {
        xs: Array.from({ length: most }, (_, idx) => idx + 1),
        x: { label: 'trials of the design', unit: '', whole: true },
        y: { label, unit },
        x_range: [0, Math.max(2, most)],
        y_range: () => y_range,
        lines: () => lines,
        over_trials: 'own',
        overlay: (plot, at) => {
          if (at < trial) for (const arm of ordered) mark_arm(plot, arm, own_trials(arm, at), values(arm));
        },
      },
      trial,
    ),
    describe: (at) =>
      `${capital(label)} over the trials of each design. ` +
      ordered
        .map((arm) => {
          const own = own_trials(arm, at);
          const value = own > 0 ? (values(arm)[own - 1] ?? null) : null;
          return (
            `${arm.name}: ${short(last_value(arm))} ${unit} after its ${arm.trials.length} trials, ` +
            `${short(value)} after ${own} at trial ${at} of the run`
          );
        })
        .join('; ') +
      '.',
    table: () => ({
      columns: ['design', 'role', 'trials of the design', 'trial', with_unit(label, unit)],
      rows: arms.flatMap((arm) =>
        arm.trials.map((global, idx) => [arm.name, arm.role, idx + 1, global, values(arm)[idx] ?? null]),
      ),
    }),
  };
}

function mark_arm({ ctx, theme, pixel, x, y, top, bottom }: Plot, arm: Arm, own: number, values: Column): void {
  ctx.strokeStyle = theme[arm.role];
  ctx.fillStyle = theme[arm.role];
  ctx.lineWidth = pixel;
  ctx.beginPath();
  ctx.moveTo(x(own), top);
  ctx.lineTo(x(own), bottom);
  ctx.stroke();
  const value = own > 0 ? (values[own - 1] ?? null) : null;
  if (value === null) return;
  ctx.beginPath();
  ctx.arc(x(own), y(value), 4 * pixel, 0, 2 * Math.PI);
  ctx.fill();
}
