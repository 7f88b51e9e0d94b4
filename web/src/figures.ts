// Figures of merit: a few large numbers with unit and interval.

import type { FigureOfMerit } from './document';
import { element } from './element';
import { fixed, short } from './numbers';

const shown = (value: number, digits: number | null): string => (digits === null ? short(value) : fixed(value, digits));

export function figures_of_merit(figures: FigureOfMerit[]): HTMLElement | null {
  if (figures.length === 0) return null;
  return element('dl', { class: 'merits' }, ...figures.map(({ label, value, unit, low, high, digits, note }) => element('div', {},
    element('dt', {}, label),
    element('dd', { class: 'value' },
      value === null ? element('span', { class: 'unknown' }, 'not known') : shown(value, digits),
      unit && value !== null ? element('span', { class: 'unit' }, ` ${unit}`) : null),
    low !== null && high !== null ? element('dd', { class: 'interval' }, `95 % interval ${shown(low, digits)} to ${shown(high, digits)}`) : null,
    note ? element('dd', { class: 'note' }, note) : null)));
}
