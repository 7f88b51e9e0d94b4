// Arms: designs interleaved on the same cell, each with its own belief.

import { read_estimate, type Estimate } from './estimate';
import { coordinate, fitted, members, number, text, type Column, type Members } from './fields';

export interface Arm {
  name: string;
  role: 'adaptive' | 'baseline';
  num_trials: number;
  /** The trials of the whole run that were this arm's, one a value. */
  trials: number[];
  half_logdet: Column;
  entropy: Column;
  relative_error: Column;
  estimate: Estimate | null;
}

export function read_arm(from: Members, path: string, left_out: string[]): Arm {
  let trials = coordinate(from.trials, `${path}.trials`, left_out);
  const num_trials = number(from.num_trials) ?? trials.length;
  if (trials.length > 0 && trials.length !== num_trials) {
    left_out.push(`${path}.trials must have num_trials = ${num_trials} entries (got ${trials.length})`);
    trials = [];
  }
  const values = (given: unknown): Column => (Array.isArray(given) ? fitted(given, trials.length) : []);
  const role = from.role === 'adaptive' ? 'adaptive' : 'baseline';
  return {
    name: text(from.name) || role,
    role,
    num_trials,
    trials,
    half_logdet: values(from.half_logdet),
    entropy: values(from.entropy),
    relative_error: values(from.relative_error),
    estimate: read_estimate(members(from.estimate), `${path}.estimate`, left_out),
  };
}
