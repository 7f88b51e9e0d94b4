// Colour maps, made in OKLab, where equal steps look equally large.
// Reference: Ottosson 2020, "A perceptual color space for image processing", https://bottosson.github.io/posts/oklab/

import type { Num } from './document';

type Rgb = [number, number, number];

/** Lightness 0..1, chroma, hue in degrees → linear sRGB, which may lie outside of 0..1. */
function linear_rgb(lightness: number, chroma: number, hue: number): Rgb {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** The colour in 8-bit sRGB; where the screen cannot show it, with as much chroma as it can. */
function rgb(lightness: number, chroma: number, hue: number): Rgb {
  const inside = (colour: Rgb): boolean => colour.every((part) => part >= -1e-4 && part <= 1 + 1e-4);
  let found = linear_rgb(lightness, chroma, hue);
  if (!inside(found)) {
    let [low, high] = [0, chroma];
    for (let step = 0; step < 12; ++step) {
      const middle = (low + high) / 2;
      if (inside(linear_rgb(lightness, middle, hue))) low = middle;
      else high = middle;
    }
    found = linear_rgb(lightness, low, hue);
  }
  return found.map((part) => {
    const clipped = Math.min(1, Math.max(0, part));
    return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
  }) as Rgb;
}

/** A table of colours for 0..1. */
export type ColourMap = readonly Rgb[];

const SIZE = 256;
const table = (colour: (part: number) => Rgb): ColourMap =>
  Array.from({ length: SIZE }, (_, idx) => colour(idx / (SIZE - 1)));

/** Blue below zero, near-white at zero, red above; both arms equally dark at equal distance. */
export const DIVERGING = table((part) => {
  const distance = Math.abs(2 * part - 1);
  return rgb(0.97 - 0.52 * distance, 0.19 * distance ** 0.9, part < 0.5 ? 256 : 32);
});

/** Dark violet to light yellow, lightness in even steps. */
export const SEQUENTIAL = table((part) => rgb(0.24 + 0.7 * part, 0.11 + 0.05 * part, 300 - 195 * part));

/** Black to white. */
export const GREY = table((part) => rgb(0.08 + 0.92 * part, 0, 0));

/** How values become colours: `place` gives 0..1 inside of the range. */
export interface ColourScale {
  map: ColourMap;
  low: number;
  high: number;
  place(value: number): number;
}

export const linear_scale = (map: ColourMap, low: number, high: number): ColourScale => ({
  map,
  low,
  high,
  place: (value) => (high > low ? (value - low) / (high - low) : 0.5),
});

export const log_scale = (map: ColourMap, low: number, high: number): ColourScale => ({
  map,
  low,
  high,
  place: (value) => Math.log(value / low) / Math.log(high / low),
});

/** `values`, row-major, as a picture of one pixel a value; a missing value is transparent. */
export function picture(values: readonly Num[], rows: number, columns: number, scale: ColourScale): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  const image = context.createImageData(columns, rows);
  for (let idx = 0; idx < rows * columns; ++idx) {
    const value = values[idx] ?? null;
    if (value === null) continue;
    const place = Math.min(1, Math.max(0, scale.place(value)));
    image.data.set(scale.map[Math.round(place * (SIZE - 1))] ?? [0, 0, 0], 4 * idx);
    image.data[4 * idx + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
