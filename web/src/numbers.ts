// Numbers as text, and round numbers for axes.

import type { Num } from './document';

/** `value` with `digits` decimals; negative digits round to tens, hundreds. Long whole parts are grouped by narrow spaces. */
export function fixed(value: number, digits: number): string {
  const places = Math.min(12, Math.max(-12, Math.round(digits)));
  const unit = places < 0 ? 10 ** -places : 1;
  const size = places < 0 ? Math.round(Math.abs(value) / unit) * unit : Math.abs(value);
  const text = size.toFixed(Math.max(0, places));
  const [whole = '', fraction] = text.split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u202f') : whole;
  const sign = value < 0 && /[1-9]/.test(text) ? '\u2212' : '';
  return sign + (fraction === undefined ? grouped : `${grouped}.${fraction}`);
}

/** `value` to `figures` significant figures, without trailing zeros. */
export function short(value: Num, figures = 3): string {
  if (value === null) return 'unknown';
  if (value === 0) return '0';
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 7 || size < -4) {
    const [mantissa = '', exponent = ''] = value.toExponential(figures - 1).split('e');
    return `${Number(mantissa)}e${Number(exponent)}`.replace(/-/g, '\u2212');
  }
  const digits = Math.max(0, figures - 1 - size);
  const shown = fixed(value, digits);
  return shown.includes('.') ? shown.replace(/\.?0+$/, '') : shown;
}

/** Decimals that an interval supports: down to the first digit of its half width; one where there is no interval. */
export function supported_digits(low: Num, high: Num): number {
  if (low === null || high === null || high <= low) return 1;
  return Math.max(0, -Math.floor(Math.log10((high - low) / 2)));
}

export const with_unit = (label: string, unit: string): string => (unit ? `${label} (${unit})` : label);

export interface Ticks {
  values: number[];
  text: string[];
}

/** Decimals that tell multiples of `step` apart. */
export const decimals_of = (step: number): number => Math.max(0, -Math.floor(Math.log10(step) + 1e-9));

/** Round numbers from `low` to `high`, at most `most` of them, with their text. */
export function round_ticks(low: number, high: number, most: number, whole = false): Ticks {
  const span = high - low;
  if (!(span > 0)) return { values: [low], text: [short(low)] };
  let power = 10 ** Math.floor(Math.log10(span / Math.max(1, most)));
  if (whole) power = Math.max(1, power);
  const steps = [1, 2, 5, 10, 20, 50].map((factor) => factor * power);
  const count = (step: number): number => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  const step = steps.find((one) => count(one) <= most) ?? 100 * power;
  const first = Math.ceil(low / step - 1e-9);
  const values = Array.from({ length: Math.max(0, count(step)) }, (_, idx) => (first + idx) * step);
  return { values, text: values.map((value) => fixed(value, decimals_of(step))) };
}

/** Round numbers for a logarithmic axis: decades, and 2 and 5 between them where there are few decades. */
export function log_ticks(low: number, high: number, most: number): number[] {
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const values: number[] = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); ++decade) {
      for (const factor of factors) {
        const value = Number(`${factor}e${decade}`);
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) values.push(value);
      }
    }
    if (values.length <= most || factors.length === 1) return values;
  }
  return [];
}

/** A time with the unit that suits its size. */
export function duration(time_us: Num): string {
  if (time_us === null) return 'unknown';
  if (time_us >= 1e6) return `${short(time_us / 1e6)} s`;
  if (time_us >= 1e3) return `${short(time_us / 1e3)} ms`;
  return `${short(time_us)} µs`;
}

/** Least and greatest of all finite values; null where there is none. */
export function extent(...columns: readonly (readonly Num[])[]): [number, number] | null {
  let [low, high] = [Infinity, -Infinity];
  for (const column of columns) {
    for (const value of column) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** A range to draw `span` in, with some room at both ends. */
export function padded(span: [number, number] | null, room: number): [number, number] {
  if (!span) return [0, 1];
  const [low, high] = span;
  const margin = low === high ? Math.abs(low) * 0.1 || 0.5 : room * (high - low);
  return [low - margin, high + margin];
}

/** As `padded`, and with zero as an end where zero is near. */
export function roomy(span: [number, number] | null): [number, number] {
  const [low, high] = padded(span, 0.06);
  if (!span || span[0] === span[1]) return [low, high];
  const size = span[1] - span[0];
  return [span[0] >= 0 && span[0] < size ? 0 : low, span[1] <= 0 && -span[1] < size ? 0 : high];
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
