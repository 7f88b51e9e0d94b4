// How the trials kept their deadline, in a sentence.

import type { Deadline } from './document';
import { fixed, short } from './numbers';

export function deadline_text({ deadline_ms, misses, worst_lateness_ms }: Deadline, num_trials: number): string {
  const limit = deadline_ms === null ? 'the deadline' : `the deadline of ${short(deadline_ms)} ms`;
  const worst = misses !== 0 && worst_lateness_ms !== null ? `; the latest by ${short(worst_lateness_ms)} ms` : '';
  if (misses === null) return `How many trials missed ${limit} is unknown.`;
  return `${misses === 0 ? 'None' : fixed(misses, 0)} of ${fixed(num_trials, 0)} trials missed ${limit}${worst}.`;
}
