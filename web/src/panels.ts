// Parts of a panel: picture, axes, colour bar; and where panels lie side by side.

import { linear_scale, picture } from './colour';
import type { Column, ImageEstimate } from './document';
import { fitting_text, hatch, type Box, type Sheet } from './drawing';
import { extent, round_ticks, short } from './numbers';
import type { TickedScale } from './scales';
import { font, type Theme } from './theme';

export interface Picture {
  title: string;
  /** Name of what the colours mean. */
  bar: string;
  values: Column;
  scale: TickedScale;
}
export type Pixels = Pick<ImageEstimate, 'shape' | 'num_lags' | 'frame_ms' | 'row_label' | 'column_label'>;

const GAP = 24;
export const LEFT = 44;
const BELOW = 98;
const ABOVE = 24;
const LINE_GAP = 12;
const BAR_HEIGHT = 10;
const MAX_SIDE = 340;
const LEAST_SIDE = 120;

/** Height over width of a picture. Pixels are square; where an axis is of another kind, such as lags, the picture is not a strip. */
export function picture_ratio({ shape: [rows, columns], row_label, column_label }: Pixels): number {
  const ratio = rows / columns;
  return row_label || column_label ? Math.min(1.5, Math.max(0.5, ratio)) : ratio;
}

export interface PanelLayout {
  height: number;
  boxes: Box[];
  across: number;
}

/** Boxes for `count` panels, in one line where the width allows it. */
export function panel_layout(width: number, count: number, ratio: number, left = LEFT): PanelLayout {
  const fitting = Math.max(1, Math.floor((width - left - 6 + GAP) / (LEAST_SIDE + GAP)));
  const across = Math.min(count, width >= 640 ? fitting : 2);
  const side = Math.max(20, Math.min(MAX_SIDE, (width - left - GAP * (across - 1) - 6) / across, MAX_SIDE / ratio));
  const tall = side * ratio;
  const lines = Math.ceil(count / across);
  return {
    across,
    height: Math.round(lines * (ABOVE + tall + BELOW) + (lines - 1) * LINE_GAP),
    boxes: Array.from({ length: count }, (_, idx) => ({
      x: Math.round(left + (idx % across) * (side + GAP)),
      y: Math.round(ABOVE + Math.floor(idx / across) * (ABOVE + tall + BELOW + LINE_GAP)),
      width: side,
      height: tall,
    })),
  };
}

export function draw_title({ ctx, theme }: Sheet, box: Box, title: string): void {
  ctx.fillStyle = theme.ink;
  ctx.font = font(13, 600);
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.fillText(fitting_text(ctx, title, box.width + GAP - 6), box.x, box.y - 8);
}

export function draw_picture(
  { ctx, theme }: Sheet,
  box: Box,
  values: Column,
  [rows, columns]: [number, number],
  scale: TickedScale,
): void {
  if (values.some((value) => value === null)) hatch(ctx, box, theme.soft);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(picture(values, rows, columns, scale), box.x, box.y, box.width, box.height);
  draw_frame(ctx, box, theme);
}

export function draw_frame(ctx: CanvasRenderingContext2D, box: Box, theme: Theme): void {
  ctx.strokeStyle = theme.soft;
  ctx.lineWidth = 1;
  ctx.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
}

export interface AxisMarks {
  /** Places from 0 to 1, from the left or from the top. */
  places: number[];
  text: string[];
  label: string;
}

/** Ticks and names of both axes; the vertical text only where the panel is the `first` of its line. */
export function draw_axes({ ctx, theme }: Sheet, box: Box, across: AxisMarks, down: AxisMarks, first: boolean): void {
  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'top';
  across.places.forEach((place, idx) => {
    const x = box.x + place * box.width;
    ctx.fillRect(x - 0.5, box.y + box.height, 1, 4);
    ctx.fillText(across.text[idx] ?? '', x, box.y + box.height + 7);
  });
  ctx.fillText(fitting_text(ctx, across.label, box.width + GAP), box.x + box.width / 2, box.y + box.height + 23);
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  down.places.forEach((place, idx) => {
    const y = box.y + place * box.height;
    ctx.fillRect(box.x - 4, y - 0.5, 4, 1);
    if (first) ctx.fillText(down.text[idx] ?? '', box.x - 7, y);
  });
  if (!first) return;
  const widest = Math.max(0, ...down.text.map((text) => ctx.measureText(text).width));
  ctx.save();
  ctx.translate(box.x - Math.max(34, widest + 17), box.y + box.height / 2);
  ctx.rotate(-Math.PI / 2);
  ctx.textAlign = 'center';
  ctx.fillText(fitting_text(ctx, down.label, Math.max(box.height + 20, 60)), 0, 0);
  ctx.restore();
}

export function draw_pixel_axes(sheet: Sheet, box: Box, pixels: Pixels, first: boolean): void {
  const marks = (count: number, room: number, label: string): AxisMarks => {
    const ticks = round_ticks(0, count, Math.max(2, room), true);
    return { places: ticks.values.map((value) => value / count), text: ticks.text, label };
  };
  const [rows, columns] = pixels.shape;
  draw_axes(
    sheet,
    box,
    marks(columns, box.width / 40, pixels.column_label || 'column (pixel)'),
    marks(rows, box.height / 34, pixels.row_label || 'row (pixel)'),
    first,
  );
}

export function draw_bar_below(sheet: Sheet, box: Box, shown: Picture): void {
  draw_colour_bar(sheet, { x: box.x, y: box.y + box.height + 52, width: box.width, height: BAR_HEIGHT }, shown);
}

export function draw_colour_bar({ ctx, theme }: Sheet, bar: Box, { scale, values, bar: label }: Picture): void {
  const span = extent(values);
  const beyond = 1e-9 * (scale.high - scale.low);
  const strip = Array.from({ length: 256 }, (_, idx) => idx / 255);
  ctx.imageSmoothingEnabled = true;
  ctx.drawImage(picture(strip, 1, 256, linear_scale(scale.map, 0, 1)), bar.x, bar.y, bar.width, bar.height);
  const middle = bar.y + bar.height / 2;
  const pointed = (edge: number, outwards: number, colour: readonly number[] | undefined): void => {
    ctx.fillStyle = `rgb(${(colour ?? [0, 0, 0]).join(' ')})`;
    ctx.beginPath();
    ctx.moveTo(edge, bar.y);
    ctx.lineTo(edge + outwards * 6, middle);
    ctx.lineTo(edge, bar.y + bar.height);
    ctx.fill();
  };
  if (span && span[0] < scale.low - beyond) pointed(bar.x, -1, scale.map[0]);
  if (span && span[1] > scale.high + beyond) pointed(bar.x + bar.width, 1, scale.map[scale.map.length - 1]);

  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'center';
  const every = tick_distance(ctx, scale, bar.width);
  const zero = Math.max(0, scale.ticks.indexOf(0));
  scale.ticks.forEach((value, idx) => {
    const x = bar.x + scale.place(value) * bar.width;
    ctx.fillRect(x - 0.5, bar.y + bar.height, 1, 3);
    if ((idx - zero) % every !== 0) return;
    const text = short(value);
    const half = ctx.measureText(text).width / 2;
    ctx.fillText(text, Math.min(Math.max(x, bar.x - 10 + half), bar.x + bar.width + 6 - half), bar.y + bar.height + 5);
  });
  ctx.fillText(fitting_text(ctx, label, bar.width + 20), bar.x + bar.width / 2, bar.y + bar.height + 20);
}

/** Every how many ticks can be written without two touching. */
function tick_distance(ctx: CanvasRenderingContext2D, scale: TickedScale, width: number): number {
  const widths = scale.ticks.map((value) => ctx.measureText(short(value)).width + 6);
  const touch = (every: number): boolean =>
    scale.ticks.some((value, idx) => {
      const other = scale.ticks[idx + every];
      const room = ((widths[idx] ?? 0) + (widths[idx + every] ?? 0)) / 2;
      return other !== undefined && (scale.place(other) - scale.place(value)) * width < room;
    });
  let every = 1;
  while (every < scale.ticks.length && touch(every)) ++every;
  return every;
}
