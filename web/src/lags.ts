// Pictures over time lags: a row of small pictures for each, one a lag, and one colour bar for each colour range.

import type { Column } from './document';
import { fitting_text, type Painting, type Sheet } from './drawing';
import { short } from './numbers';
import {
  draw_colour_bar,
  draw_picture,
  draw_pixel_axes,
  LEFT,
  picture_ratio,
  type Picture,
  type Pixels,
} from './panels';
import { font } from './theme';

const LEAST = 76;
const MOST = 150;
const BETWEEN = 14;
const HEAD = 26;
const LABEL = 18;
const AXES = 46;
const BAR = 62;

export const lag_label = (lag: number, frame_ms: number | null): string =>
  frame_ms === null ? `lag ${lag}` : `lag ${lag} (${short(lag * frame_ms)} ms)`;

/** The values of one lag out of [num_lags, rows, columns]. */
export const of_lag = (values: Column, lag: number, size: number): Column => values.slice(lag * size, (lag + 1) * size);

export function lag_painting(pixels: Pixels, pictures: (trial: number) => Picture[], trial: number): Painting {
  const { num_lags, shape, frame_ms } = pixels;
  const ratio = picture_ratio(pixels);
  const ends_its_scale = (all: Picture[], idx: number): boolean => all[idx]?.scale !== all[idx + 1]?.scale;

  const layout = (width: number): { across: number; lines: number; side: number; tall: number; row: number } => {
    const room = width - LEFT - 6 + BETWEEN;
    const across = Math.min(num_lags, Math.max(1, Math.floor(room / (LEAST + BETWEEN))));
    const lines = Math.ceil(num_lags / across);
    const side = Math.min(MOST, room / across - BETWEEN, (2 * MOST) / ratio);
    const tall = side * ratio;
    return { across, lines, side, tall, row: HEAD + lines * (LABEL + tall + AXES) };
  };

  return {
    height: (width) => {
      const all = pictures(trial);
      const bars = all.filter((_, idx) => ends_its_scale(all, idx)).length;
      return Math.round(all.length * layout(width).row + bars * BAR);
    },
    paint: (sheet, at) => {
      const { across, side, tall, row } = layout(sheet.width);
      const all = pictures(at);
      let top = 0;
      all.forEach((one, idx) => {
        draw_heading(sheet, one.title, top);
        for (let lag = 0; lag < num_lags; ++lag) {
          const box = {
            x: Math.round(LEFT + (lag % across) * (side + BETWEEN)),
            y: Math.round(top + HEAD + Math.floor(lag / across) * (LABEL + tall + AXES) + LABEL),
            width: side,
            height: tall,
          };
          draw_label(sheet, lag_label(lag, frame_ms), box.x, box.y - 5, side);
          draw_picture(sheet, box, of_lag(one.values, lag, shape[0] * shape[1]), shape, one.scale);
          if (lag % across === 0) draw_pixel_axes(sheet, box, pixels, true);
        }
        top += row;
        if (!ends_its_scale(all, idx)) return;
        const values = all.filter((other) => other.scale === one.scale).flatMap((other) => other.values);
        const width = Math.min(340, sheet.width - LEFT - 16);
        draw_colour_bar(sheet, { x: LEFT, y: Math.round(top + 8), width, height: 10 }, { ...one, values });
        top += BAR;
      });
    },
  };
}

function draw_heading({ ctx, theme }: Sheet, text: string, top: number): void {
  ctx.font = font(13, 600);
  ctx.fillStyle = theme.ink;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.fillText(text, LEFT, top + 17);
}

function draw_label({ ctx, theme }: Sheet, text: string, x: number, y: number, width: number): void {
  ctx.font = font(12);
  ctx.fillStyle = theme.soft;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.fillText(fitting_text(ctx, text, width + BETWEEN - 2), x, y);
}
