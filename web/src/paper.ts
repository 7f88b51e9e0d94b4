// Paper: light, with a width of its own, and what it leaves out is named.

import { element } from './element';
import type { Fitting } from './fitting';
import { fixed } from './numbers';

/** Gives a part that paper may leave out the name that is printed in its place. */
export function named_on_paper<E extends HTMLElement>(part: E, name: string): E {
  part.dataset.paper = name;
  return part;
}

const is_printed = (part: HTMLElement): boolean => part.getClientRects().length > 0;

/** Names of what is on the page and not on paper. */
function left_out(main: HTMLElement): string[] {
  const figures = [...main.querySelectorAll<HTMLElement>('figure')]
    .filter((figure) => !is_printed(figure))
    .map((figure) => (figure.querySelector('h3')?.textContent ?? '').toLowerCase());
  const parts = [...main.querySelectorAll<HTMLElement>('[data-paper]')]
    .filter((part) => !is_printed(part))
    .map((part) => part.dataset.paper ?? '');
  const cells = [...main.querySelectorAll<HTMLElement>('.cell')];
  const printed = cells.filter(is_printed).length;
  const all = Number(main.querySelector<HTMLElement>('.cells')?.dataset.count ?? cells.length);
  if (printed < all) parts.push(`${fixed(all - printed, 0)} of ${fixed(all, 0)} cells`);
  return [...new Set([...figures, ...parts])];
}

export function keep_printing(main: HTMLElement, fitting: Fitting): void {
  const note = element('p', { class: 'note', id: 'not-printed' });
  const on_paper = (paper: boolean): void => {
    document.documentElement.classList.toggle('paper', paper);
    note.remove();
    const missing = paper ? left_out(main) : [];
    if (missing.length > 0) {
      note.textContent = `Not printed, and on the page: ${missing.join(', ')}.`;
      main.append(note);
    }
    fitting.fit(true);
    fitting.finish();
  };
  addEventListener('beforeprint', () => on_paper(true));
  addEventListener('afterprint', () => on_paper(false));
}
