// Lines, bands and dots over an axis, drawn by uPlot from a plain description.

import type uPlot from 'uplot';
import type { Column } from './document';
import type { Drawing } from './drawing';
import { decimals_of, fixed, with_unit } from './numbers';
import { font, read_theme, type ColourName, type Theme } from './theme';

export interface AxisSpec {
  label: string;
  unit: string;
  whole?: boolean;
}

export interface LineSpec {
  values: Column;
  colour: ColourName;
  /** Written at the line's end. */
  label?: string;
  dash?: number[];
  width?: number;
  alpha?: number;
  /** Dots of this diameter in place of a line. */
  dots?: number;
  low?: Column;
  high?: Column;
}

/** The plot under an overlay: positions and lengths in canvas pixels. */
export interface Plot {
  ctx: CanvasRenderingContext2D;
  theme: Theme;
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Canvas pixels in a CSS pixel. */
  pixel: number;
  x(value: number): number;
  y(value: number): number;
}

export interface ChartSpec {
  x: AxisSpec;
  y: AxisSpec;
  xs: number[];
  x_range: [number, number];
  y_range(trial: number): [number, number];
  lines(trial: number): LineSpec[];
  /** Height for a width; a good proportion where absent. */
  height?: (width: number) => number;
  /** The lines are the same at every trial; only a mark at the trial moves. `own`: the overlay draws that mark. */
  over_trials?: boolean | 'own';
  overlay?: (plot: Plot, trial: number) => void;
}

/** uPlot sets up number formats of every language when it is evaluated: that waits for the first chart. */
declare function require(name: 'uplot'): typeof uPlot;
const plotter = (): typeof uPlot => require('uplot');

const TEXT_PX = 12;
const STEPS = Array.from({ length: 30 }, (_, idx) => [1, 2, 5].map((factor) => Number(`${factor}e${idx - 15}`))).flat();
const WHOLE_STEPS = STEPS.filter((step) => step >= 1);

export const chart_height = (width: number): number => Math.round(Math.min(340, Math.max(230, width * 0.42)));

const measuring = document.createElement('canvas').getContext('2d');

function text_width(text: string): number {
  if (!measuring) return 0;
  measuring.font = font(TEXT_PX, 600);
  return measuring.measureText(text).width;
}

/** Moves `wanted` places apart, to at least `gap`, inside of low..high; keeps their order. */
function spread(wanted: number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((place, idx) => ({ place, idx })).sort((a, b) => a.place - b.place);
  let free = low;
  for (const one of order) {
    one.place = Math.max(one.place, free);
    free = one.place + gap;
  }
  let limit = high;
  for (const one of [...order].reverse()) {
    one.place = Math.min(one.place, limit);
    limit = one.place - gap;
  }
  const places = [...wanted];
  for (const one of order) places[one.idx] = one.place;
  return places;
}

export class Chart implements Drawing {
  readonly element = document.createElement('div');
  private plot: uPlot | null = null;
  private width = 0;

  /** `last` is the last trial: the run as a whole, which needs no mark. */
  constructor(
    private readonly spec: ChartSpec,
    private readonly last: number,
    private trial = last,
  ) {}

  height(width: number): number {
    return (this.spec.height ?? chart_height)(width);
  }

  resize(width: number): void {
    this.width = width;
    this.plot?.destroy();
    this.plot = this.build(this.element, 1);
  }

  move(trial: number): void {
    this.trial = trial;
    if (!this.plot) return;
    if (this.spec.over_trials) this.plot.redraw(false);
    else this.plot.setData(this.data(this.spec.lines(trial)));
  }

  render(zoom: number): Promise<HTMLCanvasElement> {
    return new Promise((resolve) => {
      this.build(document.createElement('div'), zoom, (plot) => resolve(plot.ctx.canvas));
    });
  }

  private data(lines: LineSpec[]): uPlot.AlignedData {
    const bands = lines.filter((line) => line.low && line.high).flatMap((line) => [line.high ?? [], line.low ?? []]);
    return [this.spec.xs, ...bands, ...lines.map((line) => line.values)];
  }

  private build(host: HTMLElement, zoom: number, ready?: (plot: uPlot) => void): uPlot {
    const { spec } = this;
    const theme = read_theme();
    const lines = spec.lines(this.trial);
    const labels = Math.max(0, ...lines.map((line) => (line.label ? text_width(line.label) + 10 : 0)));
    const last_tick = text_width(fixed(spec.x_range[1], 0)) / 2 + 4;
    const series: uPlot.Series[] = [{}];
    const bands: uPlot.Band[] = [];
    for (const line of lines) {
      if (!line.low || !line.high) continue;
      const edge: uPlot.Series = { stroke: 'transparent', width: 0, pxAlign: 0, points: { show: false } };
      bands.push({ series: [series.length, series.length + 1], fill: faded(theme[line.colour], 0.18) });
      series.push(edge, { ...edge });
    }
    for (const line of lines) {
      const colour = line.alpha === undefined ? theme[line.colour] : faded(theme[line.colour], line.alpha);
      const width = (line.width ?? 2) * zoom;
      series.push(
        line.dots !== undefined
          ? {
              stroke: colour,
              width: 0,
              paths: () => null,
              points: { show: true, size: line.dots * zoom, width: 0, fill: colour, stroke: colour },
            }
          : {
              stroke: colour,
              width,
              pxAlign: 0,
              dash: line.dash?.map((part) => part * zoom) ?? [],
              points: { show: has_lone_points(line.values), size: 5 * zoom, fill: colour, width: 0 },
            },
      );
    }
    const Plotter = plotter();
    const plot = new Plotter(
      {
        width: this.width * zoom,
        height: this.height(this.width) * zoom,
        padding: [10 * zoom, Math.max(14, last_tick, Math.min(labels, this.width * 0.3)) * zoom, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        select: { show: false, left: 0, top: 0, width: 0, height: 0 },
        scales: {
          x: { time: false, range: () => spec.x_range },
          y: { range: () => spec.y_range(this.trial) },
        },
        axes: [this.axis(spec.x, theme, zoom, true), this.axis(spec.y, theme, zoom, false)],
        series,
        bands,
        hooks: {
          drawClear: [(self) => fill_background(self, theme)],
          draw: [(self) => this.draw_over(self, theme, zoom)],
          ready: ready ? [ready] : [],
        },
      },
      this.data(lines),
      host,
    );
    return plot;
  }

  private axis(spec: AxisSpec, theme: Theme, zoom: number, horizontal: boolean): uPlot.Axis {
    return {
      stroke: theme.soft,
      font: font(TEXT_PX * zoom),
      labelFont: font(TEXT_PX * zoom),
      label: with_unit(spec.label, spec.unit),
      labelSize: 18 * zoom,
      labelGap: 2 * zoom,
      gap: 4 * zoom,
      size: horizontal
        ? 24 * zoom
        : (_self, texts) => (Math.max(0, ...(texts ?? []).map((text) => text_width(text))) + 10) * zoom,
      space: (horizontal ? 64 : 30) * zoom,
      incrs: spec.whole ? WHOLE_STEPS : STEPS,
      values: (_self, splits) => axis_text(splits),
      grid: { stroke: theme.grid, width: zoom },
      ticks: { show: false },
      border: { show: horizontal, stroke: theme.soft, width: zoom },
    };
  }

  private draw_over(self: uPlot, theme: Theme, zoom: number): void {
    const { left, top, width, height } = self.bbox;
    const plot: Plot = {
      ctx: self.ctx,
      theme,
      left,
      top,
      right: left + width,
      bottom: top + height,
      pixel: plotter().pxRatio * zoom,
      x: (value) => self.valToPos(value, 'x', true),
      y: (value) => self.valToPos(value, 'y', true),
    };
    const { ctx, pixel } = plot;
    ctx.save();
    ctx.setLineDash([]);
    if (this.spec.over_trials === true && this.trial < this.last) mark_trial(plot, this.trial, this.spec.x_range);
    this.spec.overlay?.(plot, this.trial);
    ctx.restore();

    const labelled = this.spec.lines(this.trial).flatMap((line) => {
      const value = line.label ? line.values.reduceRight<number | null>((found, one) => found ?? one, null) : null;
      return value === null ? [] : [{ line, place: plot.y(value) }];
    });
    const places = spread(
      labelled.map((one) => one.place),
      15 * pixel,
      top + 6 * pixel,
      top + height - 6 * pixel,
    );
    ctx.save();
    ctx.font = font(TEXT_PX * pixel, 600);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    labelled.forEach(({ line }, idx) => {
      ctx.fillStyle = theme[line.colour];
      ctx.fillText(line.label ?? '', plot.right + 6 * pixel, places[idx] ?? 0);
    });
    ctx.restore();
  }
}

const faded = (colour: string, alpha: number): string =>
  `${colour}${Math.round(alpha * 255)
    .toString(16)
    .padStart(2, '0')}`;

/** A value between gaps makes no line; it must show as a dot. */
const has_lone_points = (values: Column): boolean =>
  values.some(
    (value, idx) => value !== null && (values[idx - 1] ?? null) === null && (values[idx + 1] ?? null) === null,
  );

function axis_text(splits: number[]): string[] {
  const [first = 0, second = first + 1] = splits;
  return splits.map((value) => fixed(value, decimals_of(second - first)));
}

function fill_background(self: uPlot, theme: Theme): void {
  self.ctx.fillStyle = theme.background;
  self.ctx.fillRect(0, 0, self.ctx.canvas.width, self.ctx.canvas.height);
}

function mark_trial({ ctx, theme, top, bottom, pixel, x }: Plot, trial: number, [low, high]: [number, number]): void {
  if (trial < low || trial > high) return;
  ctx.strokeStyle = theme.ink;
  ctx.lineWidth = pixel;
  ctx.beginPath();
  ctx.moveTo(x(trial), top);
  ctx.lineTo(x(trial), bottom);
  ctx.stroke();
}
