// A drawing that fills the width it is given, follows the trial, and can be drawn again for export.

import { read_theme, type Theme } from './theme';

export interface Drawing {
  readonly element: HTMLElement;
  /** CSS pixels that a drawing of `width` takes; 0 where only the drawing tells. */
  height(width: number): number;
  /** Draws anew in the present theme, `width` CSS pixels wide. */
  resize(width: number): void;
  /** Shows the state at `trial`. */
  move(trial: number): void;
  /** The drawing as it stands, `zoom` times as large. */
  render(zoom: number): Promise<HTMLCanvasElement>;
}

export interface Sheet {
  ctx: CanvasRenderingContext2D;
  width: number;
  height: number;
  theme: Theme;
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Painting {
  height(width: number): number;
  paint(sheet: Sheet, trial: number): void;
}

/** A drawing painted by own code on one canvas. */
export class Painted implements Drawing {
  readonly element = document.createElement('div');
  private width = 0;

  constructor(
    private readonly painting: Painting,
    private trial: number,
  ) {}

  height(width: number): number {
    return this.painting.height(width);
  }

  resize(width: number): void {
    this.width = width;
    this.element.replaceChildren(this.painted(window.devicePixelRatio));
  }

  move(trial: number): void {
    this.trial = trial;
    if (this.width > 0) this.resize(this.width);
  }

  render(zoom: number): Promise<HTMLCanvasElement> {
    return Promise.resolve(this.painted(window.devicePixelRatio * zoom));
  }

  private painted(ratio: number): HTMLCanvasElement {
    const [width, height] = [this.width, this.painting.height(this.width)];
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const ctx = canvas.getContext('2d');
    if (ctx) {
      const theme = read_theme();
      ctx.scale(ratio, ratio);
      ctx.fillStyle = theme.background;
      ctx.fillRect(0, 0, width, height);
      this.painting.paint({ ctx, width, height, theme }, this.trial);
    }
    return canvas;
  }
}

/** Text that stays readable over lines. */
export function halo_text(
  ctx: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  colour: string,
  background: string,
): void {
  ctx.lineJoin = 'round';
  ctx.strokeStyle = background;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

/** `text` cut to `width`. */
export function fitting_text(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  if (ctx.measureText(text).width <= width) return text;
  let cut = text;
  while (cut.length > 1 && ctx.measureText(`${cut}…`).width > width) cut = cut.slice(0, -1);
  return `${cut}…`;
}

/** Marks `box` as a place without a value. */
export function hatch(ctx: CanvasRenderingContext2D, box: Box, colour: string): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.x, box.y, box.width, box.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let start = -box.height; start < box.width; start += 6) {
    ctx.moveTo(box.x + start, box.y + box.height);
    ctx.lineTo(box.x + start + box.height, box.y);
  }
  ctx.stroke();
  ctx.restore();
}
