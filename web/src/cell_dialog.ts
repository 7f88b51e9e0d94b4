// A window over the page that shows one of many figures large.

import { element } from './element';
import { Figure, type FigureSpec } from './figure';

export class CellDialog {
  readonly element: HTMLDialogElement;
  private readonly host = element('div', {});
  private readonly previous: HTMLButtonElement;
  private readonly next: HTMLButtonElement;
  private figure: Figure | null = null;
  private idx = 0;

  /** `closed` is told which figure was shown last. */
  constructor(
    private readonly count: number,
    private readonly stem: string,
    private readonly spec: (idx: number) => FigureSpec,
    closed: (idx: number) => void,
  ) {
    const button = (label: string, press: () => void): HTMLButtonElement => {
      const made = element('button', { type: 'button' }, label);
      made.addEventListener('click', press);
      return made;
    };
    this.previous = button('Previous', () => this.show(this.idx - 1));
    this.next = button('Next', () => this.show(this.idx + 1));
    this.element = element(
      'dialog',
      { class: 'large', 'aria-label': 'A cell, large' },
      element(
        'div',
        { class: 'pager' },
        this.previous,
        this.next,
        button('Close', () => this.element.close()),
      ),
      this.host,
    );
    this.element.addEventListener('close', () => closed(this.idx));
    this.element.addEventListener('click', (event) => {
      // Beside the window: on the dialog itself, not on what it holds.
      if (event.target === this.element) this.element.close();
    });
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowLeft') this.show(this.idx - 1);
      else if (event.key === 'ArrowRight') this.show(this.idx + 1);
    });
  }

  show(idx: number): void {
    if (idx < 0 || idx >= this.count) return;
    this.idx = idx;
    this.figure = new Figure(this.spec(idx), 0, this.stem);
    this.host.replaceChildren(this.figure.element);
    this.previous.disabled = idx === 0;
    this.next.disabled = idx === this.count - 1;
    if (!this.element.open) this.element.showModal();
    this.refit();
  }

  refit(): void {
    if (!this.element.open || !this.figure) return;
    this.figure.widen(this.figure.present_width());
    this.figure.draw();
  }
}
