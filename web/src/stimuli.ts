// The stimuli in the order in which they were shown.

import { GREY, linear_scale, picture } from './colour';
import { Chart } from './chart';
import { at_trial, type ImageStimuli, type Stimuli, type ValueStimuli } from './document';
import { hatch, Painted } from './drawing';
import type { FigureSpec } from './figure';
import { capital, extent, padded, short, with_unit } from './numbers';
import { point_figure } from './points';
import { font } from './theme';

const LEAST = 56;
const MAX_LINES = 3;
const GAP = 8;
const NUMBER_HEIGHT = 20;

export function stimuli_figure(stimuli: Stimuli, trial: number): FigureSpec | null {
  if (stimuli.kind === 'image') return strip_figure(stimuli, trial);
  return stimuli.kind === 'point' ? point_figure(stimuli, trial) : value_figure(stimuli, trial);
}

function strip_figure(stimuli: ImageStimuli, trial: number): FigureSpec | null {
  const {
    shape: [rows, columns],
    strip,
    unit,
  } = stimuli;
  if (strip.length === 0) return null;
  const [low, high] = extent(...strip.map((one) => one.values)) ?? [0, 1];
  const limit = Math.max(-low, high);
  const scale = low < 0 ? linear_scale(GREY, -limit, limit) : linear_scale(GREY, 0, limit || 1);

  const layout = (width: number): { across: number; lines: number; side: number; tall: number } => {
    const fitting = Math.max(1, Math.floor((width + GAP - 4) / (LEAST + GAP)));
    const lines = Math.min(MAX_LINES, Math.ceil(strip.length / fitting));
    const across = Math.min(fitting, Math.ceil(strip.length / lines));
    const side = Math.min(160, (width - 4 - GAP * (across - 1)) / across);
    return { across, lines, side, tall: Math.min(160, (side * rows) / columns) };
  };

  return {
    id: 'stimuli',
    title: 'Stimuli in order',
    moves: true,
    caption: [
      stimuli.caption,
      `Black to white: ${short(scale.low)} to ${short(scale.high)}${unit ? ` ${unit}` : ''}. ` +
        `Below: trial number. Framed: the newest at the chosen trial.`,
    ]
      .filter(Boolean)
      .join(' '),
    drawing: new Painted(
      {
        height: (width) => {
          const { lines, tall } = layout(width);
          return Math.round(lines * (tall + NUMBER_HEIGHT) + (lines - 1) * GAP + 4);
        },
        paint: ({ ctx, width, theme }, at) => {
          const { across, lines, side, tall } = layout(width);
          const shown = across * lines;
          const now = at_trial(strip, at);
          const current = now ? strip.indexOf(now) : 0;
          const first = Math.max(0, Math.min(strip.length - shown, current - Math.floor(shown / 2)));
          ctx.imageSmoothingEnabled = false;
          ctx.textAlign = 'center';
          ctx.textBaseline = 'bottom';
          strip.slice(first, first + shown).forEach((one, idx) => {
            const x = 2 + (idx % across) * (side + GAP);
            const y = 2 + Math.floor(idx / across) * (tall + NUMBER_HEIGHT + GAP);
            ctx.globalAlpha = one.trial > at ? 0.3 : 1;
            if (one.values.some((value) => value === null)) hatch(ctx, { x, y, width: side, height: tall }, theme.soft);
            ctx.drawImage(picture(one.values, rows, columns, scale), x, y, side, tall);
            ctx.globalAlpha = 1;
            const newest = one === now && one.trial <= at;
            ctx.strokeStyle = newest ? theme.adaptive : theme.grid;
            ctx.lineWidth = newest ? 3 : 1;
            ctx.strokeRect(x, y, side, tall);
            ctx.font = font(12, newest ? 600 : 400);
            ctx.fillStyle = newest ? theme.adaptive : theme.soft;
            ctx.fillText(short(one.trial, 7), x + side / 2, y + tall + NUMBER_HEIGHT - 1);
          });
        },
      },
      trial,
    ),
    describe: (at) => {
      const now = at_trial(strip, at);
      return `${strip.length} stimuli of ${rows} by ${columns} pixels in order of trial, from trial ${strip[0]?.trial} ` +
        `to ${strip[strip.length - 1]?.trial}; the newest at trial ${at} is that of trial ${now?.trial}.`;
    },
    table: () => ({
      columns: ['trial', 'row', 'column', with_unit('value', unit)],
      rows: strip.flatMap((one) =>
        one.values.map((value, idx) => [one.trial, Math.floor(idx / columns), idx % columns, value]),
      ),
    }),
  };
}

function value_figure(stimuli: ValueStimuli, trial: number): FigureSpec | null {
  const { values, unit } = stimuli;
  if (values.every((value) => value === null)) return null;
  const name = stimuli.label || 'stimulus';
  const y_range = padded(extent(values), 0.06);
  const xs = values.map((_, idx) => idx + 1);
  const dots = Math.max(2.5, Math.min(6, 900 / values.length));
  return {
    id: 'stimuli',
    title: 'Stimuli in order',
    moves: true,
    caption: [stimuli.caption, 'Faint: after the chosen trial.'].filter(Boolean).join(' '),
    drawing: new Chart(
      {
        xs,
        x: { label: 'trial', unit: '', whole: true },
        y: { label: name, unit },
        x_range: [0, Math.max(2, values.length)],
        y_range: () => y_range,
        lines: (at) => [
          { values: values.map((value, idx) => (idx + 1 > at ? value : null)), colour: 'adaptive', dots, alpha: 0.22 },
          { values: values.map((value, idx) => (idx + 1 <= at ? value : null)), colour: 'adaptive', dots },
        ],
      },
      trial,
    ),
    describe: (at) =>
      `${capital(name)} of ${values.length} trials in order. At trial ${at}: ${short(values[at - 1] ?? null)} ${unit}.`,
    table: () => ({ columns: ['trial', with_unit(name, unit)], rows: values.map((value, idx) => [idx + 1, value]) }),
  };
}
