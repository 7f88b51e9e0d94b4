// One column over trials: responses, utility of what was shown, and how sure the belief became.

import { Chart } from './chart';
import type { Column, Trials, Utility } from './document';
import type { FigureSpec } from './figure';
import { capital, extent, padded, roomy, short, with_unit } from './numbers';
import { utility_words } from './utility';

interface Trace {
  id: string;
  title: string;
  label: string;
  unit: string;
  values: Column;
  errors?: Column;
  dots: boolean;
  from_zero: boolean;
  caption: string;
}

export function trial_figures(trials: Trials, utility: Utility, trial: number): FigureSpec[] {
  const traces: Trace[] = [
    {
      id: 'responses',
      title: 'Responses',
      label: trials.response_label || 'response',
      unit: trials.response_unit,
      values: trials.response,
      dots: true,
      from_zero: false,
      caption: 'One dot a trial.',
    },
    {
      id: 'trial-utility',
      title: 'Utility of the stimulus shown',
      label: 'utility',
      unit: utility.unit,
      values: trials.utility,
      dots: false,
      from_zero: true,
      caption: [`${utility_words(utility)} when the stimulus was chosen.`, utility.note].filter(Boolean).join(' '),
    },
    {
      id: 'trial-total',
      title: 'Utility of the trials thought of',
      label: 'total',
      unit: utility.unit,
      values: trials.total,
      dots: false,
      from_zero: true,
      caption: 'Of the stimulus shown and the best after it, when it was chosen.',
    },
    {
      id: 'trial-lead',
      title: 'Gain of looking ahead',
      label: 'lead',
      unit: utility.unit,
      values: trials.lead,
      errors: trials.lead_error,
      dots: false,
      from_zero: true,
      caption:
        'How much more the trials thought of are worth with the stimulus shown than with the best for the next trial ' +
        'alone; 0 where that is shown. The band is one standard error.',
    },
    {
      id: 'half-logdet',
      title: 'Uncertainty of the belief',
      label: '½ log det',
      unit: 'nats',
      values: trials.half_logdet,
      dots: false,
      from_zero: false,
      caption: '½ log det of the posterior covariance: it falls by the information gained.',
    },
    {
      id: 'entropy',
      title: 'Entropy of the belief',
      label: 'entropy',
      unit: 'nats',
      values: trials.entropy,
      dots: false,
      from_zero: true,
      caption: 'It falls by the information gained.',
    },
    {
      id: 'relative-error',
      title: 'Error against the truth',
      label: 'relative error',
      unit: '',
      values: trials.relative_error,
      dots: false,
      from_zero: true,
      caption: 'Distance of the mean from the truth, divided by the size of the truth.',
    },
  ];
  return traces.filter((one) => one.values.some((value) => value !== null)).map((one) => trace_figure(one, trial));
}

function trace_figure({ id, title, label, unit, values, errors, dots, from_zero, caption }: Trace, trial: number): FigureSpec {
  const span = extent(values);
  const y_range = from_zero ? roomy(span) : padded(span, 0.08);
  return {
    id,
    title,
    caption,
    moves: true,
    drawing: new Chart(
      {
        xs: values.map((_, idx) => idx + 1),
        x: { label: 'trial', unit: '', whole: true },
        y: { label, unit },
        x_range: [0, Math.max(2, trial)],
        y_range: () => y_range,
        lines: () => [
          dots
            ? {
                values,
                colour: 'observation',
                dots: Math.max(2.5, Math.min(5, 900 / values.length)),
                alpha: values.length > 1000 ? 0.6 : 0.85,
              }
            : {
                values,
                colour: 'adaptive',
                width: values.length > 1000 ? 1.25 : 2,
                ...(errors ? { low: shifted(values, errors, -1), high: shifted(values, errors, 1) } : {}),
              },
        ],
        height: (width) => Math.round(Math.min(260, Math.max(200, width * 0.4))),
        over_trials: true,
      },
      trial,
    ),
    describe: (at) =>
      `${capital(label)} over ${values.length} trials, ${span ? `${short(span[0])} to ${short(span[1])} ${unit}` : 'no values'}. ` +
      `At trial ${at}: ${short(values[at - 1] ?? null)} ${unit}.`,
    table: () => ({
      columns: ['trial', with_unit(label, unit), ...(errors ? [with_unit('standard error', unit)] : [])],
      rows: values.map((value, idx) => [idx + 1, value, ...(errors ? [errors[idx] ?? null] : [])]),
    }),
  };
}

const shifted = (values: Column, errors: Column, by: number): Column =>
  values.map((value, idx) => (value === null ? null : value + by * (errors[idx] ?? 0)));
