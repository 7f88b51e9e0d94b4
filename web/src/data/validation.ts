// Validation: a fixed set of stimuli, repeated at a stated share and never used to update the belief.

import { coordinate, fitted, members, number, objects, text, type Column, type Members, type Num } from './fields';

export interface RepeatedStimulus {
  label: string;
  trials: number[];
  responses: Column;
  predicted: Num;
  predicted_low: Num;
  predicted_high: Num;
}
export interface Correlation {
  correlation: Num;
  low: Num;
  high: Num;
}
export interface Drift {
  slope: Num;
  low: Num;
  high: Num;
  unit: string;
  p_value: Num;
}
export interface Validation {
  share: Num;
  stimuli: RepeatedStimulus[];
  ceiling: Correlation | null;
  model: Correlation | null;
  drift: Drift | null;
  note: string;
}

function correlation(from: Members | null): Correlation | null {
  return from && { correlation: number(from.correlation), low: number(from.low), high: number(from.high) };
}

export function read_validation(from: Members | null, left_out: string[]): Validation | null {
  if (!from) return null;
  const drift = members(from.drift);
  return {
    share: number(from.share),
    stimuli: objects(from.stimuli).map((one, idx) => {
      const trials = coordinate(one.trials, `validation.stimuli[${idx}].trials`, left_out);
      return {
        label: text(one.label) || `stimulus ${idx + 1}`,
        trials,
        responses: fitted(one.responses, trials.length),
        predicted: number(one.predicted),
        predicted_low: number(one.predicted_low),
        predicted_high: number(one.predicted_high),
      };
    }),
    ceiling: correlation(members(from.ceiling)),
    model: correlation(members(from.model)),
    drift: drift && {
      slope: number(drift.slope),
      low: number(drift.low),
      high: number(drift.high),
      unit: text(drift.unit),
      p_value: number(drift.p_value),
    },
    note: text(from.note),
  };
}
