// A population: small pictures of all cells in order of information, a page at a time, any of them large on demand.

import { draw_bars } from './bars';
import { bits_text, cell_figure } from './cell';
import { CellDialog } from './cell_dialog';
import { picture } from './colour';
import type { Cell, Population } from './document';
import { fitting_text, type Drawing } from './drawing';
import { element } from './element';
import type { FigureSpec } from './figure';
import { extent, fixed, padded } from './numbers';
import { symmetric_scale } from './scales';
import { font, read_theme, type Theme } from './theme';

export const PAGE_SIZE = 60;
/** Size of a tile of bars and, in a saved picture, of every tile. */
const TILE = { width: 96, height: 72 };
const CAPTION = 36;

export function population_sentence({ num_cells, cells }: Population): string | null {
  if (cells.length === 0) return num_cells > 0 ? `None of ${fixed(num_cells, 0)} cells has an estimate.` : null;
  const which =
    cells.length < num_cells ? `${fixed(cells.length, 0)} of ${fixed(num_cells, 0)}` : fixed(cells.length, 0);
  const [first] = cells as [Cell];
  return `${which} ${cells.length === 1 ? 'cell' : 'cells'} by falling information; the most: ${first.name} with ${bits_text(first)}.`;
}

export function population_figure({ cells }: Population, num_trials: number, stem: string): FigureSpec | null {
  if (cells.length === 0) return null;
  const grid = new CellGrid(cells, num_trials, stem);
  const images = cells.some((cell) => cell.shape);
  return {
    id: 'cells',
    title: 'Cells',
    moves: false,
    wide: true,
    interactive: true,
    caption:
      (images
        ? 'Each picture has its own colour range, symmetric about zero: blue below, red above. '
        : 'Each vector of bars has its own range. ') + 'Choose a cell to see it large; arrow keys move between cells.',
    drawing: grid,
    describe: () => `${cells.length} cells by falling information, most first`,
    table: () => ({
      columns: [
        'cell',
        'name',
        'information (bits)',
        'responses',
        'first trial',
        'last trial',
        'index',
        'mean',
        'sd',
        'truth',
      ],
      rows: cells.flatMap((cell) =>
        cell.mean.map((value, idx) => [
          cell.cell,
          cell.name,
          cell.information_bits,
          cell.num_responses,
          cell.first_trial,
          cell.last_trial,
          idx,
          value,
          cell.sd[idx] ?? null,
          cell.truth[idx] ?? null,
        ]),
      ),
    }),
  };
}

class CellGrid implements Drawing {
  readonly element: HTMLElement;
  private readonly tiles = element('div', { class: 'cells' });
  private readonly place = element('span', { role: 'status' });
  private readonly dialog: CellDialog;
  private first = 0;
  private width = 0;

  constructor(
    private readonly cells: Cell[],
    num_trials: number,
    stem: string,
  ) {
    this.dialog = new CellDialog(
      cells.length,
      stem,
      (idx) => cell_figure(cells[idx] as Cell, num_trials),
      (idx) => this.focus(idx),
    );
    this.tiles.dataset.count = String(cells.length);
    this.tiles.addEventListener('keydown', (event) => this.press(event));
    const turn = (label: string, pages: number): HTMLElement => {
      const button = element('button', { type: 'button' }, label);
      button.addEventListener('click', () => this.turn(pages));
      return button;
    };
    this.element = element(
      'div',
      {},
      this.tiles,
      cells.length > PAGE_SIZE
        ? element('div', { class: 'pager' }, turn('Previous cells', -1), this.place, turn('Next cells', 1))
        : null,
      this.dialog.element,
    );
  }

  height(): number {
    return 0;
  }

  resize(width: number): void {
    this.width = width;
    this.fill();
    this.dialog.refit();
  }

  move(): void {
    // The estimates are those of the last trial.
  }

  /** The tiles of the present page as one picture. */
  render(zoom: number): Promise<HTMLCanvasElement> {
    const ratio = window.devicePixelRatio * zoom;
    const theme = read_theme();
    const shown = this.shown();
    const across = Math.max(1, Math.min(shown.length, Math.floor((this.width + 12) / (TILE.width + 12))));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(Math.ceil(shown.length / across) * (TILE.height + CAPTION) * ratio);
    const ctx = canvas.getContext('2d');
    if (!ctx) return Promise.resolve(canvas);
    ctx.scale(ratio, ratio);
    ctx.fillStyle = theme.background;
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.imageSmoothingEnabled = false;
    ctx.textBaseline = 'top';
    shown.forEach((cell, idx) => {
      const [x, y] = [(idx % across) * (TILE.width + 12), Math.floor(idx / across) * (TILE.height + CAPTION)];
      const small = tile(cell, theme);
      const fit = Math.min(TILE.width / small.width, TILE.height / small.height);
      ctx.drawImage(small, x, y, small.width * fit, small.height * fit);
      ctx.fillStyle = theme.ink;
      ctx.font = font(11, 600);
      ctx.fillText(fitting_text(ctx, cell.name, TILE.width), x, y + TILE.height + 3);
      ctx.fillStyle = theme.soft;
      ctx.font = font(11);
      ctx.fillText(bits_text(cell), x, y + TILE.height + 17);
    });
    return Promise.resolve(canvas);
  }

  private shown(): Cell[] {
    return this.cells.slice(this.first, this.first + PAGE_SIZE);
  }

  private fill(): void {
    const theme = read_theme();
    const present = this.tiles.querySelector<HTMLElement>('[tabindex="0"]')?.dataset.cell;
    this.tiles.replaceChildren(
      ...this.shown().map((cell, place) => {
        const idx = this.first + place;
        const small = tile(cell, theme);
        // A strip or a column stays within the tile.
        small.style.aspectRatio = String(Math.min(2.5, Math.max(0.6, small.width / small.height)));
        const button = element(
          'button',
          {
            type: 'button',
            class: 'cell',
            'data-cell': String(idx),
            tabindex: '-1',
            'aria-haspopup': 'dialog',
          },
          small,
          element('span', { class: 'name' }, cell.name),
          element('span', { class: 'bits' }, bits_text(cell)),
        );
        button.addEventListener('click', () => this.dialog.show(idx));
        return button;
      }),
    );
    const current = this.tiles.querySelector(`[data-cell="${present}"]`) ?? this.tiles.firstElementChild;
    current?.setAttribute('tabindex', '0');
    const last = Math.min(this.cells.length, this.first + PAGE_SIZE);
    this.place.textContent = `${fixed(this.first + 1, 0)} to ${fixed(last, 0)} of ${fixed(this.cells.length, 0)}`;
  }

  private turn(pages: number): void {
    const last_page = Math.floor((this.cells.length - 1) / PAGE_SIZE);
    const page = Math.min(last_page, Math.max(0, this.first / PAGE_SIZE + pages));
    if (page * PAGE_SIZE === this.first) return;
    this.first = page * PAGE_SIZE;
    this.fill();
  }

  private focus(idx: number): void {
    this.turn(Math.floor(idx / PAGE_SIZE) - this.first / PAGE_SIZE);
    this.tiles.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1');
    const button = this.tiles.querySelector<HTMLElement>(`[data-cell="${idx}"]`);
    button?.setAttribute('tabindex', '0');
    button?.focus();
  }

  private press(event: KeyboardEvent): void {
    const from = (event.target as HTMLElement).closest<HTMLElement>('[data-cell]');
    if (!from) return;
    const tiles = [...this.tiles.children] as HTMLElement[];
    const line = tiles.filter((one) => one.offsetTop === tiles[0]?.offsetTop).length;
    const here = Number(from.dataset.cell);
    const goal = {
      ArrowLeft: here - 1,
      ArrowRight: here + 1,
      ArrowUp: here - line,
      ArrowDown: here + line,
      PageUp: here - PAGE_SIZE,
      PageDown: here + PAGE_SIZE,
      Home: 0,
      End: this.cells.length - 1,
    }[event.key];
    if (goal === undefined) return;
    event.preventDefault();
    this.focus(Math.min(this.cells.length - 1, Math.max(0, goal)));
  }
}

/** A cell as a small picture: one pixel a value, or bars. */
function tile(cell: Cell, theme: Theme): HTMLCanvasElement {
  if (cell.shape) return picture(cell.mean, cell.shape[0], cell.shape[1], symmetric_scale(cell.mean));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [2 * TILE.width, 2 * TILE.height];
  const ctx = canvas.getContext('2d');
  if (!ctx) return canvas;
  ctx.scale(2, 2);
  const range = padded(extent(cell.mean, [0]), 0.05);
  draw_bars(
    ctx,
    { x: 2, y: 2, width: TILE.width - 4, height: TILE.height - 4 },
    { ...cell, sd: [], truth: [] },
    range,
    theme,
  );
  return canvas;
}
