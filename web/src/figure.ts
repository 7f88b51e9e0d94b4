// The frame of a drawing: title, text for screen readers, caption, buttons that save picture and numbers.

import type { Num } from './document';
import type { Drawing } from './drawing';
import { element } from './element';
import { save_canvas, save_text, table_text } from './export';

export type Cell = string | Num;
export interface Table {
  columns: string[];
  rows: Cell[][];
}

export interface FigureSpec {
  id: string;
  title: string;
  caption: string;
  drawing: Drawing;
  /** What the drawing shows at the trial, in words. */
  describe(trial: number): string;
  /** The numbers of the drawing at the trial. */
  table(trial: number): Table;
  /** The drawing changes with the trial. */
  moves: boolean;
  wide?: boolean;
  /** The drawing holds buttons of its own; it is not one picture. */
  interactive?: boolean;
}

const EXPORT_ZOOM = 3;

export class Figure {
  readonly element: HTMLElement;
  readonly moves: boolean;
  private readonly host: HTMLElement;
  /** What it is drawn for, CSS pixels; 0 before the first time. */
  width = 0;
  private stale = false;

  constructor(
    private readonly spec: FigureSpec,
    private trial: number,
    file_stem: string,
  ) {
    this.moves = spec.moves;
    const name = (ending: string): string =>
      `${file_stem}-${spec.id}${spec.moves ? `-trial-${this.trial}` : ''}.${ending}`;
    const picture = element('button', { type: 'button', 'aria-label': `Save ${spec.title} as PNG` }, 'PNG');
    picture.addEventListener('click', () => {
      this.draw();
      void spec.drawing.render(EXPORT_ZOOM).then((canvas) => save_canvas(canvas, name('png')));
    });
    const numbers = element(
      'button',
      { type: 'button', 'aria-label': `Save the numbers of ${spec.title} as CSV` },
      'CSV',
    );
    numbers.addEventListener('click', () => save_text(table_text(spec.table(this.trial)), name('csv')));

    this.host = element('div', { class: 'drawing', role: spec.interactive ? 'group' : 'img' }, spec.drawing.element);
    this.element = element(
      'figure',
      { id: spec.id, ...(spec.wide ? { class: 'wide' } : {}), ...(spec.moves ? { 'data-moves': '' } : {}) },
      element(
        'div',
        { class: 'title' },
        element('h3', {}, spec.title),
        element('div', { class: 'buttons' }, picture, numbers),
      ),
      this.host,
      spec.caption ? element('figcaption', {}, spec.caption) : null,
    );
    this.say();
  }

  /** The width it has on the page. */
  present_width(): number {
    return Math.floor(this.host.clientWidth);
  }

  /** Takes the room that a drawing of `width` needs; draw() fills it. */
  widen(width: number): void {
    this.width = width;
    this.stale = true;
    this.host.style.minHeight = `${this.spec.drawing.height(width)}px`;
  }

  draw(): void {
    if (!this.stale) return;
    this.stale = false;
    this.spec.drawing.resize(this.width);
    this.host.style.minHeight = '';
  }

  is_in_view(): boolean {
    const { top, bottom } = this.host.getBoundingClientRect();
    return bottom >= 0 && top <= innerHeight;
  }

  move(trial: number): void {
    this.trial = trial;
    if (!this.spec.moves) return;
    this.spec.drawing.move(trial);
    this.say();
  }

  private say(): void {
    this.host.setAttribute('aria-label', this.spec.describe(this.trial));
  }
}
