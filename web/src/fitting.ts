// When figures are drawn: those in view at once, the others after the page has been painted, a slice of time each.

import type { Figure } from './figure';

/** Time for drawing between two looks at what the reader does. */
const SLICE_MS = 16;
const LONGEST_WAIT_MS = 2000;

/** When the page was first seen; a page that is hidden, or a browser that does not tell, is not waited for long. */
const first_paint = new Promise<void>((resolve) => {
  new PerformanceObserver((seen) => {
    if (seen.getEntriesByName('first-contentful-paint').length > 0) resolve();
  }).observe({ type: 'paint', buffered: true });
  setTimeout(resolve, document.hidden ? 0 : LONGEST_WAIT_MS);
});

export class Fitting {
  private readonly waiting = new Set<Figure>();
  private scheduled = false;

  /** `main` is marked as busy while figures wait. */
  constructor(
    private readonly main: HTMLElement,
    private readonly figures: Figure[],
  ) {}

  /** Draws anew where the width has changed, or at any width where `always`. */
  fit(always = false): void {
    // All are measured before the first is drawn: each measure after a drawing would lay out the page again.
    const widths = this.figures.map((figure) => figure.present_width());
    this.figures.forEach((figure, idx) => {
      const width = widths[idx] ?? 0;
      if (width <= 0 || (width === figure.width && !always)) return;
      figure.widen(width);
      this.waiting.add(figure);
    });
    const in_view = [...this.waiting].filter((figure) => figure.is_in_view());
    in_view.forEach((figure) => this.draw(figure));
    this.go_on();
  }

  /** Draws what still waits. */
  finish(): void {
    this.waiting.forEach((figure) => this.draw(figure));
    this.go_on();
  }

  private draw(figure: Figure): void {
    this.waiting.delete(figure);
    figure.draw();
  }

  private go_on(): void {
    this.main.toggleAttribute('data-drawing', this.waiting.size > 0);
    if (this.waiting.size === 0 || this.scheduled) return;
    this.scheduled = true;
    void first_paint.then(() => setTimeout(() => this.draw_slice()));
  }

  private draw_slice(): void {
    this.scheduled = false;
    const end = performance.now() + SLICE_MS;
    for (const figure of this.waiting) {
      if (performance.now() >= end) break;
      this.draw(figure);
    }
    this.go_on();
  }
}
