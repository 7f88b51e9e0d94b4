// The estimates of designs on the same cell, side by side, on one scale, beside the truth.

import { baselines_first, dash_of } from './arms';
import { Chart, type LineSpec } from './chart';
import { at_trial, type Arm, type Column, type Estimate } from './document';
import { Painted, type Drawing } from './drawing';
import type { FigureSpec } from './figure';
import { extent, padded, roomy, short } from './numbers';
import { map_painting } from './map';
import { pictures_painting } from './pictures';
import { places_of } from './places';
import { sequential_scale, symmetric_scale } from './scales';
import { parameter_painting } from './vector';

interface Believer {
  arm: Arm;
  estimate: Estimate;
}

/** Estimates of equal form can be drawn on one scale. */
function form_of(estimate: Estimate): string {
  if (estimate.kind === 'image') return `image ${estimate.num_lags} ${estimate.shape.join(' ')}`;
  if (estimate.kind === 'vector') return `vector ${estimate.names.join('\n')}`;
  return `${estimate.kind} ${estimate.x.join(' ')} ${estimate.kind === 'map' ? estimate.y.join(' ') : ''}`;
}

const mean_at = (estimate: Estimate, trial: number): Column =>
  at_trial<{ trial: number; mean: Column }>(estimate.snapshots, trial)?.mean ?? [];
const num_values = (estimate: Estimate): number => places_of(estimate).rows.length;

/** `whole` is the estimate of the whole run, which may know the truth where the arms do not. */
export function arm_estimates_figure(
  arms: Arm[],
  whole: Estimate | null,
  trial: number,
  left_out: string[],
): FigureSpec | null {
  const all = arms.flatMap((arm): Believer[] =>
    arm.estimate && arm.estimate.snapshots.length > 0 && num_values(arm.estimate) > 0
      ? [{ arm, estimate: arm.estimate }]
      : [],
  );
  const form = all[0] ? form_of(all[0].estimate) : '';
  const believers = all.filter((one) => form_of(one.estimate) === form);
  for (const one of all)
    if (!believers.includes(one))
      left_out.push(`the estimate of ${one.arm.name} has another form than that of ${all[0]?.arm.name}`);
  const [first] = believers;
  if (!first) return null;
  const knowing = [...believers.map((one) => one.estimate), ...(whole && form_of(whole) === form ? [whole] : [])];
  const truth = knowing.find((one) => one.truth.length > 0)?.truth ?? [];
  const last = (one: Believer): Column => mean_at(one.estimate, Infinity);
  const told = (one: Believer, at: number): string => {
    const span = extent(mean_at(one.estimate, at));
    return `${one.arm.name}: mean ${span ? `${short(span[0])} to ${short(span[1])}` : 'without values'}`;
  };
  const truth_span = extent(truth);

  return {
    id: 'arms-estimates',
    title: 'Estimates of the designs',
    moves: believers.some((one) => one.estimate.snapshots.length > 1),
    wide: true,
    caption: `Belief of each design at the chosen trial of the run${truth_span ? ', and the truth' : ''}, all on one scale.`,
    drawing: drawing_of(believers, first.estimate, truth, extent(truth, ...believers.map(last)), trial),
    describe: (at) =>
      `Estimates of ${believers.length} designs at trial ${at}. ${believers.map((one) => told(one, at)).join('; ')}` +
      `${truth_span ? `; truth ${short(truth_span[0])} to ${short(truth_span[1])}` : ''}.`,
    table: (at) => {
      const places = places_of(first.estimate);
      const rows = (name: string, shown: number | null, mean: Column, second: Column): (string | number | null)[][] =>
        places.rows.map((place, idx) => [name, shown, ...place, mean[idx] ?? null, second[idx] ?? null]);
      return {
        columns: ['design', 'trial', ...places.columns, 'mean', 'sd'],
        rows: [
          ...believers.flatMap(({ arm, estimate }) => {
            const snapshot = at_trial<{ trial: number; mean: Column; sd?: Column }>(estimate.snapshots, at);
            return rows(arm.name, snapshot?.trial ?? null, snapshot?.mean ?? [], snapshot?.sd ?? []);
          }),
          ...(truth_span ? rows('truth', null, truth, []) : []),
        ],
      };
    },
  };
}

function drawing_of(
  believers: Believer[],
  first: Estimate,
  truth: Column,
  span: [number, number] | null,
  trial: number,
): Drawing {
  const ends = span ? [...span] : [];
  const known = truth.some((value) => value !== null);
  const all = (at: number): { title: string; values: Column }[] => [
    ...believers.map(({ arm, estimate }) => ({ title: arm.name, values: mean_at(estimate, at) })),
    ...(known ? [{ title: 'Truth', values: truth }] : []),
  ];
  if (first.kind === 'image') {
    const scale = symmetric_scale(ends);
    const pictures = (at: number) => all(at).map((one) => ({ ...one, bar: first.unit || 'value', scale }));
    return new Painted(pictures_painting(first, pictures, trial), trial);
  }
  if (first.kind === 'map') {
    const scale = sequential_scale(ends);
    const pictures = (at: number) => all(at).map((one) => ({ ...one, bar: first.unit || 'value', scale, points: [] }));
    return new Painted(map_painting(first, pictures, trial), trial);
  }
  const arms = believers.map((one) => one.arm);
  if (first.kind === 'vector') {
    const series = believers.flatMap(({ arm, estimate }) =>
      estimate.kind === 'vector' ? [{ name: arm.name, colour: arm.role, snapshots: estimate.snapshots }] : [],
    );
    return new Painted(parameter_painting(first.names, first.unit, truth, series), trial);
  }
  const curves = baselines_first(arms).flatMap((arm) =>
    arm.estimate?.kind === 'curve' ? [{ arm, estimate: arm.estimate }] : [],
  );
  const bands = curves.flatMap(({ estimate }) => {
    const snapshot = at_trial(estimate.snapshots, Infinity);
    return snapshot ? [snapshot.low, snapshot.high] : [];
  });
  const y_range = roomy(extent(ends, ...bands));
  const none = first.x.map(() => null);
  return new Chart(
    {
      xs: first.x,
      x: { label: first.x_label || 'stimulus', unit: first.x_unit },
      y: { label: first.y_label || 'response', unit: first.y_unit },
      x_range: padded(extent(first.x), 0.02),
      y_range: () => y_range,
      lines: (at) => [
        ...curves.map(({ arm, estimate }): LineSpec => {
          const snapshot = at_trial(estimate.snapshots, at);
          return {
            values: snapshot?.mean ?? none,
            low: snapshot?.low ?? none,
            high: snapshot?.high ?? none,
            colour: arm.role,
            label: arm.name,
            dash: dash_of(arm, arms),
          };
        }),
        ...(known ? [{ values: truth, colour: 'ink' as const, label: 'truth', dash: [6, 4], width: 1.5 }] : []),
      ],
    },
    trial,
  );
}
