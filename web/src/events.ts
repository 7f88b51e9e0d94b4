// What happened on the way: events by kind on a time line and as lists.

import type { Event } from './document';
import { fitting_text, Painted, type Sheet } from './drawing';
import { element } from './element';
import type { FigureSpec } from './figure';
import { fixed, round_ticks } from './numbers';
import { named_on_paper } from './paper';
import { font } from './theme';

/** Up to this many events make one list; more are grouped by kind. */
const FEW = 20;
/** Listed of each kind; the CSV of the time line has all. */
const LISTED = 100;
const ROW = 28;
/** Up to this many events in a row are single marks; more are strokes. */
const MARKS = 40;
const LEAST_MESSAGE = 90;

interface Kind {
  kind: string;
  events: Event[];
  warnings: number;
}

/** By kind, those with warnings first, then by their first event. */
function by_kind(events: Event[]): Kind[] {
  const groups = new Map<string, Event[]>();
  for (const event of events) {
    const kind = event.kind || 'other';
    const group = groups.get(kind);
    if (group) group.push(event);
    else groups.set(kind, [event]);
  }
  return [...groups]
    .map(([kind, members]) => ({
      kind,
      events: members,
      warnings: members.filter((event) => event.level === 'warning').length,
    }))
    .sort((a, b) => Number(b.warnings > 0) - Number(a.warnings > 0));
}

export function warnings_text(events: Event[]): string | null {
  const warned = by_kind(events).filter((one) => one.warnings > 0);
  if (warned.length === 0) return events.length > 0 ? 'No warnings.' : null;
  const count = warned.reduce((sum, one) => sum + one.warnings, 0);
  const kinds = warned.map((one) => `${one.kind} ${fixed(one.warnings, 0)}`).join(', ');
  return `${fixed(count, 0)} ${count === 1 ? 'warning' : 'warnings'}: ${kinds}.`;
}

function event_table(events: Event[], label: string): HTMLElement {
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
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
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

export function event_list(events: Event[]): HTMLElement {
  const list = events.length <= FEW ? event_table(events, 'Events') : event_groups(events);
  // The table is hidden on paper, the list around it is not.
  const hidden = list.querySelector<HTMLElement>('.scroll') ?? list;
  named_on_paper(hidden, events.length === 1 ? 'the list of events' : `the list of ${fixed(events.length, 0)} events`);
  return list;
}

function event_groups(events: Event[]): HTMLElement {
  return element(
    'div',
    { class: 'kinds' },
    ...by_kind(events).map(({ kind, events: members, warnings }) => {
      const trials = members.map((event) => event.trial).filter((trial): trial is number => trial !== null);
      const [first, last] = [Math.min(...trials), Math.max(...trials)];
      const when =
        trials.length === 0
          ? ''
          : first === last
            ? `, trial ${fixed(first, 0)}`
            : `, trials ${fixed(first, 0)} to ${fixed(last, 0)}`;
      const of_them = warnings === members.length ? 'all' : fixed(warnings, 0);
      const level =
        warnings === 0
          ? ''
          : members.length === 1
            ? ' (warning)'
            : ` (${of_them} ${of_them === '1' ? 'warning' : 'warnings'})`;
      const count = `${fixed(members.length, 0)}${level}${when}`;
      const group = element(
        'details',
        { class: warnings > 0 ? 'warning' : 'info' },
        element('summary', {}, element('span', { class: 'kind' }, kind), ` ${count}`),
      );
      // A list is made when it is first opened: a page of thousands of events stays small.
      group.addEventListener('toggle', () => group.append(event_table(members, `Events: ${kind}`)), { once: true });
      return group;
    }),
  );
}

export function timeline_figure(events: Event[], num_trials: number, trial: number): FigureSpec | null {
  const timed = events.filter((event): event is Event & { trial: number } => event.trial !== null);
  if (timed.length === 0) return null;
  const kinds = by_kind(timed);
  const all = by_kind(events);
  const end = timed.reduce((most, event) => Math.max(most, event.trial), Math.max(1, num_trials));
  const name = ({ kind, events: members }: Kind): string =>
    members.length > 1 ? `${kind} ×${fixed(members.length, 0)}` : kind;
  return {
    id: 'events',
    title: 'Events over trials',
    moves: true,
    wide: true,
    caption:
      'Triangles: warnings. Circles: information. Many events of a kind are strokes. In words: trial and message of the mark beside them.',
    drawing: new Painted(
      {
        height: () => kinds.length * ROW + 50,
        paint: (sheet, at) => {
          const { ctx, width, theme } = sheet;
          ctx.font = font(12, 600);
          const left = Math.min(width * 0.4, Math.max(...kinds.map((one) => ctx.measureText(name(one)).width)) + 18);
          const [right, bottom] = [width - 24, kinds.length * ROW + 4];
          const x = (value: number): number => left + (value / end) * (right - left);
          ctx.font = font(12);
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
          kinds.forEach((one, idx) => {
            const middle = 4 + (idx + 0.5) * ROW;
            ctx.font = font(12, one.warnings > 0 ? 600 : 400);
            ctx.fillStyle = one.warnings > 0 ? theme.warning : theme.ink;
            ctx.textBaseline = 'middle';
            ctx.textAlign = 'right';
            ctx.fillText(fitting_text(ctx, name(one), left - 14), left - 12, middle);
            draw_kind(sheet, one, middle, x);
            draw_message(sheet, one, middle, x, left, right);
          });
        },
      },
      trial,
    ),
    describe: (at) =>
      `${events.length} events over ${num_trials} trials, ` +
      `${events.filter((event) => event.level === 'warning').length} of them warnings. ` +
      `By kind: ${all.map((one) => `${one.kind} ${one.events.length}`).join(', ')}. ` +
      `${timed.filter((event) => event.trial <= at).length} up to trial ${at}.`,
    table: () => ({
      columns: ['trial', 'time (s)', 'level', 'kind', 'message'],
      rows: events.map((event) => [event.trial, event.time_s, event.level, event.kind, event.message]),
    }),
  };
}

function draw_kind({ ctx, theme }: Sheet, { events }: Kind, cy: number, x: (trial: number) => number): void {
  // Warnings last: they lie on top.
  for (const level of ['info', 'warning'] as const) {
    ctx.fillStyle = level === 'warning' ? theme.warning : theme.baseline;
    for (const event of events) {
      if (event.level !== level) continue;
      const cx = x(event.trial ?? 0);
      if (events.length > MARKS) {
        ctx.fillRect(
          cx - 0.5,
          cy - (level === 'warning' ? 9 : 5),
          level === 'warning' ? 1.5 : 1,
          level === 'warning' ? 18 : 10,
        );
        continue;
      }
      ctx.beginPath();
      if (level === 'warning') {
        ctx.moveTo(cx, cy - 6);
        ctx.lineTo(cx + 6, cy + 5);
        ctx.lineTo(cx - 6, cy + 5);
      } else ctx.arc(cx, cy, 4, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

/** The last or first event of a kind in words, on the side of its marks where there is room. */
function draw_message(
  { ctx, theme }: Sheet,
  { events }: Kind,
  cy: number,
  x: (trial: number) => number,
  left: number,
  right: number,
): void {
  const ordered = [...events].sort((a, b) => (a.trial ?? 0) - (b.trial ?? 0));
  const [first, last] = [ordered[0], ordered[ordered.length - 1]];
  if (!first || !last) return;
  const after = x(last.trial ?? 0) + 12;
  const before = x(first.trial ?? 0) - 12;
  const on_the_right = right + 20 - after >= before - left;
  const room = on_the_right ? right + 20 - after : before - left;
  if (room < LEAST_MESSAGE) return;
  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  ctx.textAlign = on_the_right ? 'left' : 'right';
  const told = on_the_right ? last : first;
  const text = fitting_text(ctx, `${fixed(told.trial ?? 0, 0)}: ${told.message}`, room);
  ctx.fillText(text, on_the_right ? after : before, cy);
}
