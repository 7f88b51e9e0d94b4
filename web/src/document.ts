// The page's data, format 1 (docs/report-format.md), read so that every member exists with its type:
// what is absent or of another type becomes null or empty, and the page leaves that part out.
// What is there but cannot be drawn is named in `left_out`.

export type Num = number | null;
export type Column = Num[];

export interface FigureOfMerit {
  label: string;
  value: Num;
  unit: string;
  low: Num;
  high: Num;
  digits: Num;
  note: string;
}
export interface GaussianSnapshot {
  trial: number;
  mean: Column;
  sd: Column;
}
export interface CurveSnapshot {
  trial: number;
  mean: Column;
  low: Column;
  high: Column;
}
export interface Observation {
  trial: number;
  x: number;
  y: number;
}
export interface Marginal {
  name: string;
  unit: string;
  grid: number[];
  truth: Num;
  snapshots: { trial: number; probability: Column }[];
}
export interface ImageEstimate {
  kind: 'image';
  shape: [number, number];
  unit: string;
  truth: Column;
  snapshots: GaussianSnapshot[];
  marginals: Marginal[];
}
export interface CurveEstimate {
  kind: 'curve';
  x: number[];
  x_label: string;
  x_unit: string;
  y_label: string;
  y_unit: string;
  truth: Column;
  snapshots: CurveSnapshot[];
  observations: Observation[];
  marginals: Marginal[];
}
export interface VectorEstimate {
  kind: 'vector';
  names: string[];
  unit: string;
  truth: Column;
  snapshots: GaussianSnapshot[];
}
export type Estimate = ImageEstimate | CurveEstimate | VectorEstimate;

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
}
export type Stimuli =
  | {
      kind: 'image';
      shape: [number, number];
      unit: string;
      strip: { trial: number; values: Column }[];
      caption: string;
    }
  | { kind: 'value'; label: string; unit: string; values: Column; caption: string };
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
  curves: LearningCurve[];
  trials: Trials;
  stimuli: Stimuli | null;
  utility_curve: UtilityCurve | null;
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

type Members = Record<string, unknown>;

const members = (from: unknown): Members | null =>
  typeof from === 'object' && from !== null && !Array.isArray(from) ? (from as Members) : null;
const text = (from: unknown): string =>
  typeof from === 'string' ? from : typeof from === 'number' ? String(from) : '';
const number = (from: unknown): Num => (typeof from === 'number' && Number.isFinite(from) ? from : null);
const column = (from: unknown): Column => (Array.isArray(from) ? from.map(number) : []);
const texts = (from: unknown): string[] => (Array.isArray(from) ? from.map(text) : []);
const objects = (from: unknown): Members[] =>
  Array.isArray(from) ? from.map(members).filter((one): one is Members => one !== null) : [];

/** `from` as a column of exactly `length` values; null where there is none. */
function fitted(from: unknown, length: number): Column {
  const read = column(from);
  return Array.from({ length }, (_, idx) => read[idx] ?? null);
}

/** A coordinate must be complete and ascending: another cannot be drawn and counts as absent. */
function coordinate(from: unknown, path: string, left_out: string[]): number[] {
  const read = column(from);
  if (read.every((value, idx): value is number => value !== null && value >= (read[idx - 1] ?? -Infinity))) return read;
  left_out.push(`${path} must be complete and ascending`);
  return [];
}

/** Objects with a trial, in its order. */
function by_trial<T>(from: unknown, read: (one: Members) => T): (T & { trial: number })[] {
  return objects(from)
    .filter((one) => number(one.trial) !== null)
    .map((one) => ({ ...read(one), trial: number(one.trial) as number }))
    .sort((a, b) => a.trial - b.trial);
}

function shape(from: unknown): [number, number] | null {
  const read = column(from);
  const [rows, columns] = [read[0] ?? 0, read[1] ?? 0];
  return read.length === 2 && Number.isInteger(rows) && Number.isInteger(columns) && rows > 0 && columns > 0
    ? [rows, columns]
    : null;
}

function marginal(from: Members, path: string, left_out: string[]): Marginal {
  const grid = coordinate(from.grid, `${path}.grid`, left_out);
  return {
    name: text(from.name),
    unit: text(from.unit),
    grid,
    truth: number(from.truth),
    snapshots: by_trial(from.snapshots, (one) => ({ probability: fitted(one.probability, grid.length) })),
  };
}

function estimate(from: Members | null, left_out: string[]): Estimate | null {
  if (!from) return null;
  const marginals = objects(from.marginals)
    .map((one, idx) => marginal(one, `estimate.marginals[${idx}]`, left_out))
    .filter((one) => one.grid.length > 0 && one.snapshots.length > 0);
  const gaussian = (size: number): GaussianSnapshot[] =>
    by_trial(from.snapshots, (one) => ({ mean: fitted(one.mean, size), sd: fitted(one.sd, size) }));
  const truth = (size: number): Column => (Array.isArray(from.truth) ? fitted(from.truth, size) : []);
  if (from.kind === 'image') {
    const size = shape(from.shape);
    if (!size) {
      left_out.push('estimate.shape must be two whole numbers > 0');
      return null;
    }
    const length = size[0] * size[1];
    return {
      kind: 'image',
      shape: size,
      unit: text(from.unit),
      truth: truth(length),
      snapshots: gaussian(length),
      marginals,
    };
  }
  if (from.kind === 'curve') {
    const x = coordinate(from.x, 'estimate.x', left_out);
    return {
      kind: 'curve',
      x,
      x_label: text(from.x_label),
      x_unit: text(from.x_unit),
      y_label: text(from.y_label),
      y_unit: text(from.y_unit),
      truth: truth(x.length),
      marginals,
      snapshots: by_trial(from.snapshots, (one) => ({
        mean: fitted(one.mean, x.length),
        low: fitted(one.low, x.length),
        high: fitted(one.high, x.length),
      })),
      observations: by_trial(from.observations, (one) => ({ x: number(one.x), y: number(one.y) })).filter(
        (one): one is Observation => one.x !== null && one.y !== null,
      ),
    };
  }
  if (from.kind === 'vector') {
    const names = texts(from.names);
    return {
      kind: 'vector',
      names,
      unit: text(from.unit),
      truth: truth(names.length),
      snapshots: gaussian(names.length),
    };
  }
  left_out.push('estimate.kind must be one of image, curve, vector');
  return null;
}

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

function stimuli(from: Members | null, left_out: string[]): Stimuli | null {
  if (!from) return null;
  const size = shape(from.shape);
  const caption = text(from.caption);
  if (from.kind === 'image' && size) {
    const strip = by_trial(from.strip, (one) => ({ values: fitted(one.values, size[0] * size[1]) }));
    return { kind: 'image', shape: size, unit: text(from.unit), strip, caption };
  }
  if (from.kind === 'value')
    return { kind: 'value', label: text(from.label), unit: text(from.unit), values: column(from.values), caption };
  left_out.push('stimuli must be an image with its shape, or a value');
  return null;
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
    estimate: estimate(members(from.estimate), left_out),
    curves: objects(from.curves)
      .map((one, idx) => learning_curve(one, `curves[${idx}]`, left_out))
      .filter((one) => one.designs.length > 0),
    trials: {
      utility: column(trials.utility),
      response: column(trials.response),
      response_label: text(trials.response_label),
      response_unit: text(trials.response_unit),
      half_logdet: column(trials.half_logdet),
      entropy: column(trials.entropy),
      relative_error: column(trials.relative_error),
    },
    stimuli: stimuli(members(from.stimuli), left_out),
    utility_curve: utility_curve(members(from.utility_curve), left_out),
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
  const { trials, estimate: belief, stimuli: shown, utility_curve: utility } = report;
  return Math.max(
    trials.utility.length,
    trials.response.length,
    trials.half_logdet.length,
    trials.entropy.length,
    trials.relative_error.length,
    belief ? last(belief.snapshots) : 0,
    shown?.kind === 'image' ? last(shown.strip) : (shown?.values.length ?? 0),
    utility ? last(utility.snapshots) : 0,
  );
}

/** The newest of `rows` at or before `trial`; the first where all are later; null where there is none. */
export function at_trial<T extends { trial: number }>(rows: readonly T[], trial: number): T | null {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as T).trial <= trial) low = middle + 1;
    else high = middle;
  }
  return rows[Math.max(0, low - 1)] ?? null;
}
