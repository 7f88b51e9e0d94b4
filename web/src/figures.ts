// Figures of merit: a few large numbers with unit and interval.

import type { FigureOfMerit } from './document';
import { element } from './element';
import { fixed, short } from './numbers';

/** Units that are written against the number. */
const TIGHT = /^[°×]$/;

const shown = (value: number, digits: number | null): string => (digits === null ? short(value) : fixed(value, digits));

export function figures_of_merit(figures: FigureOfMerit[]): HTMLElement | null {
  if (figures.length === 0) return null;
  return element(
    'dl',
    { class: 'merits' },
    ...figures.map(({ label, value, unit, low, high, digits, note }) =>
      element(
        'div',
        {},
        element('dt', {}, label),
        element(
          'dd',
          { class: 'value' },
          value === null ? element('span', { class: 'unknown' }, 'not known') : shown(value, digits),
          unit && value !== null && !TIGHT.test(unit) ? ' ' : null,
          unit && value !== null ? element('span', { class: TIGHT.test(unit) ? 'unit tight' : 'unit' }, unit) : null,
        ),
        low !== null && high !== null
          ? element(
              'dd',
              { class: 'interval' },
              '95 % interval ',
              element('span', {}, `${shown(low, digits)} to ${shown(high, digits)}`),
            )
          : null,
        note ? element('dd', { class: 'note' }, note) : null,
      ),
    ),
  );
}
