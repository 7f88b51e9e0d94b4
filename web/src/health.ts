// What happened on the way: events on a time line and as a list, deadlines.

import type { Deadline, Event } from './document';
import { Painted } from './drawing';
import { element } from './element';
import type { FigureSpec } from './figure';
import { fixed, round_ticks, short } from './numbers';
import { font } from './theme';

const LISTED = 200;
const ROW = 26;

export function deadline_text({ deadline_ms, misses, worst_lateness_ms }: Deadline, num_trials: number): string {
  const limit = deadline_ms === null ? 'the deadline' : `the deadline of ${short(deadline_ms)} ms`;
  const worst = misses !== 0 && worst_lateness_ms !== null ? `; the latest by ${short(worst_lateness_ms)} ms` : '';
  if (misses === null) return `How many trials missed ${limit} is unknown.`;
  return `${misses === 0 ? 'None' : fixed(misses, 0)} of ${fixed(num_trials, 0)} trials missed ${limit}${worst}.`;
}

export function event_list(events: Event[]): HTMLElement {
  const rows = events
    .slice(0, LISTED)
    .map((event) =>
      element(
        'tr',
        { class: event.level },
        element('td', {}, event.trial === null ? '' : fixed(event.trial, 0)),
        element('td', {}, event.time_s === null ? '' : fixed(event.time_s, 1)),
        element('td', {}, event.level),
        element('td', {}, event.kind),
        element('td', {}, event.message),
      ),
    );
  const heads = ['Trial', 'Time (s)', 'Level', 'Kind', 'Message'].map((name) => element('th', { scope: 'col' }, name));
  return element(
    'div',
    {},
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Events' },
      element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody', {}, ...rows)),
    ),
    events.length > LISTED
      ? element(
          'p',
          { class: 'note' },
          `The first ${LISTED} of ${fixed(events.length, 0)} events; the CSV of the time line has all.`,
        )
      : null,
  );
}

export function timeline_figure(events: Event[], num_trials: number, trial: number): FigureSpec | null {
  const timed = events.filter((event): event is Event & { trial: number } => event.trial !== null);
  if (timed.length === 0) return null;
  const kinds = [...new Set(timed.map((event) => event.kind))];
  const end = Math.max(1, num_trials, ...timed.map((event) => event.trial));
  const warnings = events.filter((event) => event.level === 'warning').length;
  return {
    id: 'events',
    title: 'Events over trials',
    moves: true,
    wide: true,
    caption: 'Triangles: warnings. Circles: information.',
    drawing: new Painted(
      {
        height: () => kinds.length * ROW + 50,
        paint: ({ ctx, width, theme }, at) => {
          ctx.font = font(12);
          const left = Math.min(width * 0.4, Math.max(...kinds.map((kind) => ctx.measureText(kind).width)) + 16);
          const [right, bottom] = [width - 24, kinds.length * ROW + 4];
          const x = (value: number): number => left + (value / end) * (right - left);
          ctx.textBaseline = 'top';
          ctx.textAlign = 'center';
          const ticks = round_ticks(0, end, Math.max(3, (right - left) / 80), true);
          ticks.values.forEach((value, idx) => {
            ctx.fillStyle = theme.grid;
            ctx.fillRect(Math.round(x(value)), 4, 1, bottom - 4);
            ctx.fillStyle = theme.soft;
            ctx.fillText(ticks.text[idx] ?? '', x(value), bottom + 6);
          });
          ctx.fillText('trial', (left + right) / 2, bottom + 26);
          ctx.fillStyle = theme.ink;
          if (at < trial) ctx.fillRect(Math.round(x(at)), 4, 1, bottom - 4);
          ctx.textBaseline = 'middle';
          ctx.textAlign = 'right';
          kinds.forEach((kind, idx) => ctx.fillText(kind, left - 12, 4 + (idx + 0.5) * ROW));
          for (const event of timed) {
            const [cx, cy] = [x(event.trial), 4 + (kinds.indexOf(event.kind) + 0.5) * ROW];
            ctx.beginPath();
            if (event.level === 'warning') {
              ctx.moveTo(cx, cy - 6);
              ctx.lineTo(cx + 6, cy + 5);
              ctx.lineTo(cx - 6, cy + 5);
              ctx.fillStyle = theme.warning;
            } else {
              ctx.arc(cx, cy, 4, 0, 2 * Math.PI);
              ctx.fillStyle = theme.baseline;
            }
            ctx.fill();
          }
        },
      },
      trial,
    ),
    describe: () =>
      `${events.length} events over ${num_trials} trials, ${warnings} of them warnings; kinds: ${kinds.join(', ')}.`,
    table: () => ({
      columns: ['trial', 'time (s)', 'level', 'kind', 'message'],
      rows: events.map((event) => [event.trial, event.time_s, event.level, event.kind, event.message]),
    }),
  };
}
