// Pictures that share their pixels, side by side; with lags, a row of pictures for each.

import type { Painting } from './drawing';
import { lag_painting } from './lags';
import {
  draw_bar_below,
  draw_picture,
  draw_pixel_axes,
  draw_title,
  panel_layout,
  picture_ratio,
  type Picture,
  type Pixels,
} from './panels';

export function pictures_painting(pixels: Pixels, pictures: (trial: number) => Picture[], trial: number): Painting {
  if (pixels.num_lags > 1) return lag_painting(pixels, pictures, trial);
  const count = pictures(trial).length;
  const ratio = picture_ratio(pixels);
  return {
    height: (width) => panel_layout(width, count, ratio).height,
    paint: (sheet, at) => {
      const { boxes, across } = panel_layout(sheet.width, count, ratio);
      pictures(at).forEach((one, idx) => {
        const box = boxes[idx];
        if (!box) return;
        draw_title(sheet, box, one.title);
        draw_picture(sheet, box, one.values, pixels.shape, one.scale);
        draw_pixel_axes(sheet, box, pixels, idx % across === 0);
        draw_bar_below(sheet, box, one);
      });
    },
  };
}
