// Activity of a network: a dot for every spike, lines for variables and rates.

import { Chart, type Plot } from './chart';
import type { Network, Raster, Traces } from './document';
import { file_stem } from './export';
import type { FigureSpec } from './figure';
import { extent, fixed, roomy, short, with_unit } from './numbers';
import { DASHES } from './learning';
import type { ColourName } from './theme';

const COLOURS: ColourName[] = ['adaptive', 'observation', 'baseline'];
/** Rows of dots are this far apart at least, CSS pixels, up to a height that fits a screen. */
const ROW = 3;
const HIGHEST = 420;

function draw_spikes({ ctx, theme, pixel, x, y }: Plot, raster: Raster): void {
  const apart = Math.abs(y(1) - y(0));
  const [across, up] = [Math.max(1, 1.2 * pixel), Math.max(1, Math.min(apart * 0.8, 5 * pixel))];
  ctx.fillStyle = theme.ink;
  raster.time_ms.forEach((time, idx) => {
    const neuron = raster.neuron[idx] ?? null;
    if (neuron !== null) ctx.fillRect(x(time) - across / 2, y(neuron) - up / 2, across, up);
  });
}

function raster_figure(raster: Raster, { from_ms, to_ms }: Network): FigureSpec | null {
  const span = extent(raster.neuron);
  const last = Math.max(raster.num_neurons ?? 0, span ? span[1] + 1 : 0) - 1;
  if (last < 0) return null;
  const y_range: [number, number] = [-0.5, last + 0.5];
  return {
    id: `raster-${file_stem(raster.name)}`,
    title: `Spikes: ${raster.name}`,
    moves: false,
    wide: true,
    caption: ['One dot a spike.', raster.note].filter(Boolean).join(' '),
    drawing: new Chart(
      {
        xs: [from_ms, to_ms],
        x: { label: 'time', unit: 'ms' },
        y: { label: 'neuron', unit: '', whole: true },
        x_range: [from_ms, to_ms],
        y_range: () => y_range,
        lines: () => [{ values: [null, null], colour: 'ink' }],
        height: () => Math.round(Math.min(HIGHEST, Math.max(200, 80 + ROW * (last + 1)))),
        overlay: (plot) => draw_spikes(plot, raster),
      },
      0,
    ),
    describe: () =>
      `${fixed(raster.time_ms.length, 0)} spikes of ${fixed(last + 1, 0)} ${last === 0 ? 'neuron' : 'neurons'} from ` +
      `${short(from_ms)} to ${short(to_ms)} ms. ${raster.note}`.trim(),
    table: () => ({
      columns: ['time (ms)', 'neuron'],
      rows: raster.time_ms.map((time, idx) => [time, raster.neuron[idx] ?? null]),
    }),
  };
}

function traces_figure(traces: Traces, { from_ms, to_ms }: Network): FigureSpec | null {
  const { name, unit, time_ms, lines } = traces;
  const span = extent(...lines.map((line) => line.values));
  if (!span) return null;
  const y_range = roomy(span);
  return {
    id: `trace-${file_stem(name)}`,
    title: name,
    moves: false,
    wide: true,
    caption: traces.note,
    drawing: new Chart(
      {
        xs: time_ms,
        x: { label: 'time', unit: 'ms' },
        y: { label: name, unit },
        x_range: [from_ms, to_ms],
        y_range: () => y_range,
        lines: () =>
          lines.map((line, idx) => ({
            values: line.values,
            colour: COLOURS[idx % COLOURS.length] ?? 'ink',
            dash: DASHES[Math.floor(idx / COLOURS.length) % DASHES.length],
            width: 1.25,
            ...(lines.length > 1 ? { label: line.label } : {}),
          })),
      },
      0,
    ),
    describe: () =>
      `${with_unit(name, unit)} from ${short(from_ms)} to ${short(to_ms)} ms, ${short(span[0])} to ${short(span[1])}` +
      `${lines.length > 1 ? `, of ${lines.map((line) => line.label).join(', ')}` : ''}. ${traces.note}`.trimEnd(),
    table: () => ({
      columns: ['time (ms)', ...lines.map((line) => with_unit(line.label || name, unit))],
      rows: time_ms.map((time, idx) => [time, ...lines.map((line) => line.values[idx] ?? null)]),
    }),
  };
}

export const network_figures = (network: Network): (FigureSpec | null)[] => [
  ...network.rasters.map((raster) => raster_figure(raster, network)),
  ...network.traces.map((traces) => traces_figure(traces, network)),
];
