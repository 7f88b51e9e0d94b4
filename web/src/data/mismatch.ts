// Mismatch: does the model describe the data? A sequential test.

import {
  column,
  coordinate,
  fitted,
  members,
  number,
  objects,
  text,
  type Column,
  type Members,
  type Num,
} from './fields';

export interface Mismatch {
  false_alarm: Num;
  /** log10 of the evidence at which the alarm is given. */
  threshold: Num;
  trials: number[];
  log10_evidence: Column;
  alarm_trial: Num;
  strategies: { name: string; log10_evidence: Num }[];
  /** Trials in each of equal bins of the probability integral transform. */
  pit_counts: Column;
}

export function read_mismatch(from: Members | null, left_out: string[]): Mismatch | null {
  if (!from) return null;
  const trials = coordinate(from.trials, 'mismatch.trials', left_out);
  return {
    false_alarm: number(from.false_alarm),
    threshold: number(from.threshold),
    trials,
    log10_evidence: fitted(from.log10_evidence, trials.length),
    alarm_trial: number(from.alarm_trial),
    strategies: objects(from.strategies).map((one) => ({
      name: text(one.name),
      log10_evidence: number(one.log10_evidence),
    })),
    pit_counts: column(members(from.pit)?.counts),
  };
}
