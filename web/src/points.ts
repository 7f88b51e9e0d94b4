// Stimuli of two coordinates: where they lay, the later the darker.

import { Chart, type Plot } from './chart';
import type { PointStimuli } from './document';
import type { FigureSpec } from './figure';
import { capital, extent, padded, short, with_unit } from './numbers';

/** Opacity of the first of many trials; the last is opaque. */
const FAINTEST = 0.15;

function draw_points({ ctx, theme, pixel, x, y }: Plot, stimuli: PointStimuli, trial: number): void {
  const shown = Math.min(trial, stimuli.x.length);
  const radius = Math.max(2, Math.min(4.5, 60 / Math.sqrt(stimuli.x.length))) * pixel;
  ctx.fillStyle = theme.adaptive;
  let newest: [number, number] | null = null;
  for (let idx = 0; idx < shown; ++idx) {
    const [across, up] = [stimuli.x[idx] ?? null, stimuli.y[idx] ?? null];
    if (across === null || up === null) continue;
    ctx.globalAlpha = FAINTEST + (1 - FAINTEST) * ((idx + 1) / shown);
    ctx.beginPath();
    ctx.arc(x(across), y(up), radius, 0, 2 * Math.PI);
    ctx.fill();
    newest = [across, up];
  }
  ctx.globalAlpha = 1;
  if (!newest) return;
  ctx.strokeStyle = theme.observation;
  ctx.lineWidth = 2 * pixel;
  ctx.beginPath();
  ctx.arc(x(newest[0]), y(newest[1]), radius + 3 * pixel, 0, 2 * Math.PI);
  ctx.stroke();
}

export function point_figure(stimuli: PointStimuli, trial: number): FigureSpec | null {
  const { x, y } = stimuli;
  const [x_span, y_span] = [extent(x), extent(y)];
  if (!x_span || !y_span) return null;
  const [x_name, y_name] = [stimuli.x_label || 'x', stimuli.y_label || 'y'];
  const [x_range, y_range] = [padded(x_span, 0.06), padded(y_span, 0.06)];
  return {
    id: 'stimuli',
    title: 'Stimuli',
    moves: true,
    caption: [stimuli.caption, 'One dot a trial so far, the later the stronger. Ringed: the newest.']
      .filter(Boolean)
      .join(' '),
    drawing: new Chart(
      {
        xs: x_range,
        x: { label: x_name, unit: stimuli.x_unit },
        y: { label: y_name, unit: stimuli.y_unit },
        x_range,
        y_range: () => y_range,
        lines: () => [{ values: [null, null], colour: 'adaptive' }],
        height: (width) => Math.round(Math.min(420, Math.max(260, width * 0.7))),
        overlay: (plot, at) => draw_points(plot, stimuli, at),
      },
      trial,
    ),
    describe: (at) =>
      `${x.length} stimuli in ${x_name} and ${y_name}: ${short(x_span[0])} to ${short(x_span[1])} ${stimuli.x_unit}, ` +
      `${short(y_span[0])} to ${short(y_span[1])} ${stimuli.y_unit}. ` +
      `${capital(x_name)} and ${y_name} at trial ${at}: ${short(x[at - 1] ?? null)}, ${short(y[at - 1] ?? null)}.`,
    table: () => ({
      columns: ['trial', with_unit(x_name, stimuli.x_unit), with_unit(y_name, stimuli.y_unit)],
      rows: x.map((value, idx) => [idx + 1, value, y[idx] ?? null]),
    }),
  };
}
