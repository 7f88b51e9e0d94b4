// The page's data, format 1 (docs/report-format.md), read so that every member exists with its type:
// what is absent or of another type becomes null or empty, and the page leaves that part out.
// What is there but cannot be drawn is named in `left_out`.

import { read_arm, type Arm } from './data/arms';
import { read_estimate, type Estimate } from './data/estimate';
import { by_trial, column, coordinate, fitted, members, number, objects, text } from './data/fields';
import type { Column, Members, Num } from './data/fields';
import { read_mismatch, type Mismatch } from './data/mismatch';
import { read_network, type Network } from './data/network';
import { read_population, type Population } from './data/population';
import { last_of_stimuli, read_stimuli, type Stimuli } from './data/stimuli';
import { read_validation, type Validation } from './data/validation';

export { at_trial } from './data/fields';
export type { Column, Num } from './data/fields';
export type * from './data/arms';
export type * from './data/estimate';
export type * from './data/mismatch';
export type * from './data/network';
export type * from './data/population';
export type * from './data/stimuli';
export type * from './data/validation';

export interface FigureOfMerit {
  label: string;
  value: Num;
  unit: string;
  low: Num;
  high: Num;
  digits: Num;
  note: string;
}
export interface DesignCurve {
  name: string;
  role: 'adaptive' | 'baseline';
  trials: number[];
  mean: Column;
  low: Column;
  high: Column;
}
export interface Saved {
  criterion: number;
  baseline: string;
  adaptive: string;
  baseline_trials: Num;
  adaptive_trials: Num;
  ratio: Num;
  low: Num;
  high: Num;
}
export interface LearningCurve {
  metric: string;
  label: string;
  unit: string;
  better: string;
  num_seeds: Num;
  interval: string;
  designs: DesignCurve[];
  saved: Saved | null;
}
export interface Trials {
  utility: Column;
  response: Column;
  response_label: string;
  response_unit: string;
  half_logdet: Column;
  entropy: Column;
  relative_error: Column;
  total: Column;
  lead: Column;
  lead_error: Column;
}
/** What utilities are, in words and by their unit. */
export interface Utility {
  label: string;
  unit: string;
  note: string;
}
export interface UtilityCurve {
  label: string;
  unit: string;
  x: number[];
  snapshots: { trial: number; values: Column; chosen: Num }[];
}
export interface Event {
  trial: Num;
  time_s: Num;
  kind: string;
  message: string;
  level: 'info' | 'warning';
}
export interface Deadline {
  deadline_ms: Num;
  misses: Num;
  worst_lateness_ms: Num;
}
export interface Latency {
  stage: string;
  count: Num;
  p50_us: Num;
  p99_us: Num;
  max_us: Num;
  edges_us: number[];
  counts: Column;
}

export interface Report {
  title: string;
  sentence: string;
  figures: FigureOfMerit[];
  estimate: Estimate | null;
  population: Population | null;
  network: Network | null;
  curves: LearningCurve[];
  arms: Arm[];
  validation: Validation | null;
  utility: Utility;
  trials: Trials;
  stimuli: Stimuli | null;
  utility_curve: UtilityCurve | null;
  mismatch: Mismatch | null;
  events: Event[];
  deadline: Deadline | null;
  latency: Latency[];
  configuration: string;
  versions: [string, string][];
  command: string;
  left_out: string[];
}

/** A document that this page cannot read; the message is for the reader. */
export class DocumentError extends Error {}

function learning_curve(from: Members, path: string, left_out: string[]): LearningCurve {
  const saved = members(from.saved);
  const criterion = number(saved?.criterion);
  return {
    metric: text(from.metric),
    label: text(from.label),
    unit: text(from.unit),
    better: text(from.better),
    num_seeds: number(from.num_seeds),
    interval: text(from.interval),
    designs: objects(from.designs)
      .map((one, idx): DesignCurve => {
        const trials = coordinate(one.trials, `${path}.designs[${idx}].trials`, left_out);
        return {
          name: text(one.name),
          role: one.role === 'adaptive' ? 'adaptive' : 'baseline',
          trials,
          mean: fitted(one.mean, trials.length),
          low: fitted(one.low, trials.length),
          high: fitted(one.high, trials.length),
        };
      })
      .filter((one) => one.mean.some((value) => value !== null)),
    saved:
      saved && criterion !== null
        ? {
            criterion,
            baseline: text(saved.baseline),
            adaptive: text(saved.adaptive),
            baseline_trials: number(saved.baseline_trials),
            adaptive_trials: number(saved.adaptive_trials),
            ratio: number(saved.ratio),
            low: number(saved.low),
            high: number(saved.high),
          }
        : null,
  };
}

function utility_curve(from: Members | null, left_out: string[]): UtilityCurve | null {
  if (!from) return null;
  const x = coordinate(from.x, 'utility_curve.x', left_out);
  return {
    label: text(from.label),
    unit: text(from.unit),
    x,
    snapshots: by_trial(from.snapshots, (one) => ({
      values: fitted(one.values, x.length),
      chosen: number(one.chosen),
    })),
  };
}

export function read_report(json: string): Report {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new DocumentError(`The data in this page is not valid JSON: ${(error as Error).message}.`);
  }
  const from = members(parsed);
  if (!from) throw new DocumentError('The data in this page is not a JSON object.');
  if (from.format !== 1) {
    throw new DocumentError(
      `This page reads data of format 1; the data says format ${JSON.stringify(from.format) ?? 'nothing'}. ` +
        `Write the report again with the same version of hartline.`,
    );
  }
  const left_out: string[] = [];
  const trials = members(from.trials) ?? {};
  const deadline = members(from.deadline);
  const utility = members(from.utility) ?? {};
  return {
    title: text(from.title),
    sentence: text(from.sentence),
    figures: objects(from.figures).map((one) => ({
      label: text(one.label),
      value: number(one.value),
      unit: text(one.unit),
      low: number(one.low),
      high: number(one.high),
      digits: number(one.digits),
      note: text(one.note),
    })),
    estimate: read_estimate(members(from.estimate), 'estimate', left_out),
    population: read_population(members(from.population)),
    network: read_network(members(from.network), left_out),
    curves: objects(from.curves)
      .map((one, idx) => learning_curve(one, `curves[${idx}]`, left_out))
      .filter((one) => one.designs.length > 0),
    arms: objects(from.arms).map((one, idx) => read_arm(one, `arms[${idx}]`, left_out)),
    validation: read_validation(members(from.validation), left_out),
    utility: { label: text(utility.label), unit: text(utility.unit), note: text(utility.note) },
    trials: {
      utility: column(trials.utility),
      response: column(trials.response),
      response_label: text(trials.response_label),
      response_unit: text(trials.response_unit),
      half_logdet: column(trials.half_logdet),
      entropy: column(trials.entropy),
      relative_error: column(trials.relative_error),
      total: column(trials.total),
      lead: column(trials.lead),
      lead_error: column(trials.lead_error),
    },
    stimuli: read_stimuli(members(from.stimuli), left_out),
    utility_curve: utility_curve(members(from.utility_curve), left_out),
    mismatch: read_mismatch(members(from.mismatch), left_out),
    events: objects(from.events).map((one) => ({
      trial: number(one.trial),
      time_s: number(one.time_s),
      kind: text(one.kind),
      message: text(one.message),
      level: one.level === 'warning' ? ('warning' as const) : ('info' as const),
    })),
    deadline: deadline && {
      deadline_ms: number(deadline.deadline_ms),
      misses: number(deadline.misses),
      worst_lateness_ms: number(deadline.worst_lateness_ms),
    },
    latency: objects(from.latency).map((one, idx) => {
      const edges_us = coordinate(one.edges_us, `latency[${idx}].edges_us`, left_out);
      return {
        stage: text(one.stage),
        count: number(one.count),
        p50_us: number(one.p50_us),
        p99_us: number(one.p99_us),
        max_us: number(one.max_us),
        edges_us,
        counts: fitted(one.counts, Math.max(0, edges_us.length - 1)),
      };
    }),
    configuration: text(from.configuration),
    versions: Object.entries(members(from.versions) ?? {}).map(([name, version]) => [name, text(version)]),
    command: text(from.command),
    left_out,
  };
}

/** The last trial that anything in the report speaks of. */
export function last_trial(report: Report): number {
  const last = (rows: { trial: number }[]): number => rows[rows.length - 1]?.trial ?? 0;
  const greatest = (trials: readonly Num[]): number =>
    trials.reduce<number>((most, one) => Math.max(most, one ?? 0), 0);
  const { trials, estimate, stimuli, utility_curve: utility } = report;
  return Math.max(
    trials.utility.length,
    trials.response.length,
    trials.half_logdet.length,
    trials.entropy.length,
    trials.relative_error.length,
    estimate ? last(estimate.snapshots) : 0,
    stimuli ? last_of_stimuli(stimuli) : 0,
    utility ? last(utility.snapshots) : 0,
    greatest(
      report.arms.flatMap((arm) => [arm.trials[arm.trials.length - 1] ?? 0, last(arm.estimate?.snapshots ?? [])]),
    ),
    greatest((report.validation?.stimuli ?? []).map((one) => one.trials[one.trials.length - 1] ?? 0)),
    greatest(report.mismatch?.trials ?? []),
    greatest((report.population?.cells ?? []).map((cell) => cell.last_trial)),
  );
}
