// Reading of JSON members by type: what is absent or of another type becomes null or empty.

export type Num = number | null;
export type Column = Num[];

export type Members = Record<string, unknown>;

export const members = (from: unknown): Members | null =>
  typeof from === 'object' && from !== null && !Array.isArray(from) ? (from as Members) : null;
export const text = (from: unknown): string =>
  typeof from === 'string' ? from : typeof from === 'number' ? String(from) : '';
export const number = (from: unknown): Num => (typeof from === 'number' && Number.isFinite(from) ? from : null);
export const column = (from: unknown): Column => (Array.isArray(from) ? from.map(number) : []);
export const texts = (from: unknown): string[] => (Array.isArray(from) ? from.map(text) : []);
export const objects = (from: unknown): Members[] =>
  Array.isArray(from) ? from.map(members).filter((one): one is Members => one !== null) : [];

/** `from` as a column of exactly `length` values; null where there is none. */
export function fitted(from: unknown, length: number): Column {
  if (!Array.isArray(from)) return new Array<Num>(length).fill(null);
  if (from.length === length && from.every((one) => number(one) !== null)) return from as Column;
  return Array.from({ length }, (_, idx) => number(from[idx]));
}

/** A coordinate must be complete and ascending: another cannot be drawn and counts as absent. */
export function coordinate(from: unknown, path: string, left_out: string[]): number[] {
  const read = column(from);
  if (read.every((value, idx): value is number => value !== null && value >= (read[idx - 1] ?? -Infinity))) return read;
  left_out.push(`${path} must be complete and ascending`);
  return [];
}

/** Objects with a trial, in its order. */
export function by_trial<T>(from: unknown, read: (one: Members) => T): (T & { trial: number })[] {
  return objects(from)
    .filter((one) => number(one.trial) !== null)
    .map((one) => ({ ...read(one), trial: number(one.trial) as number }))
    .sort((a, b) => a.trial - b.trial);
}

export function shape(from: unknown): [number, number] | null {
  const read = column(from);
  const [rows, columns] = [read[0] ?? 0, read[1] ?? 0];
  return read.length === 2 && Number.isInteger(rows) && Number.isInteger(columns) && rows > 0 && columns > 0
    ? [rows, columns]
    : null;
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
