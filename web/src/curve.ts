// A tuning curve or psychometric function: mean with its band, the truth, the responses as dots.

import { Chart, type Plot } from './chart';
import { at_trial, type CurveEstimate } from './document';
import type { FigureSpec } from './figure';
import { capital, extent, padded, roomy, short, with_unit } from './numbers';

/** Dots at the same place become one, whose area is their number. */
function draw_observations({ ctx, theme, pixel, x, y }: Plot, estimate: CurveEstimate, trial: number): void {
  const places = new Map<string, { x: number; y: number; count: number }>();
  for (const one of estimate.observations) {
    if (one.trial > trial) break;
    const key = `${one.x} ${one.y}`;
    const place = places.get(key);
    if (place) ++place.count;
    else places.set(key, { x: one.x, y: one.y, count: 1 });
  }
  const most = Math.max(1, ...[...places.values()].map((place) => place.count));
  const unit = Math.min(2.5, 11 / Math.sqrt(most));
  ctx.fillStyle = theme.observation;
  ctx.strokeStyle = theme.background;
  ctx.lineWidth = 0.75 * pixel;
  ctx.globalAlpha = 0.75;
  for (const place of [...places.values()].sort((a, b) => b.count - a.count)) {
    ctx.beginPath();
    ctx.arc(x(place.x), y(place.y), Math.max(1.5, unit * Math.sqrt(place.count)) * pixel, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  }
}

export function curve_figure(estimate: CurveEstimate, trial: number): FigureSpec | null {
  const { x, truth, snapshots, observations } = estimate;
  if (x.length === 0 || (snapshots.length === 0 && truth.length === 0)) return null;
  const last = snapshots[snapshots.length - 1];
  const [bottom, top] = roomy(
    extent(
      truth,
      last?.mean ?? [],
      last?.low ?? [],
      last?.high ?? [],
      observations.map((one) => one.y),
    ),
  );
  // Responses of zero are common; their dots must not lie on the axis.
  const y_range: [number, number] = [
    bottom === 0 && observations.some((one) => one.y <= 0.02 * top) ? -0.05 * top : bottom,
    top,
  ];
  const x_range = padded(
    extent(
      x,
      observations.map((one) => one.x),
    ),
    0.02,
  );
  const y_name = estimate.y_label || 'response';
  const x_name = estimate.x_label || 'stimulus';
  const none = x.map(() => null);

  return {
    id: 'curve',
    title: `${capital(y_name)} against ${x_name}`,
    moves: snapshots.length > 1 || observations.length > 0,
    wide: true,
    caption:
      'Mean of the belief with its pointwise 90 % band' +
      (truth.length > 0 ? ', and the truth (dashed)' : '') +
      (observations.length > 0 ? '. Dots: responses so far, area as their number where several coincide.' : '.'),
    drawing: new Chart(
      {
        xs: x,
        x: { label: x_name, unit: estimate.x_unit },
        y: { label: y_name, unit: estimate.y_unit },
        x_range,
        y_range: () => y_range,
        height: (width) => Math.round(Math.min(420, Math.max(270, width * 0.4))),
        lines: (at) => {
          const snapshot = at_trial(snapshots, at);
          return [
            {
              values: snapshot?.mean ?? none,
              low: snapshot?.low ?? none,
              high: snapshot?.high ?? none,
              colour: 'adaptive',
              label: 'estimate',
              width: 2.5,
            },
            ...(truth.length > 0
              ? [{ values: truth, colour: 'ink' as const, label: 'truth', dash: [6, 4], width: 1.5 }]
              : []),
          ];
        },
        overlay: (plot, at) => draw_observations(plot, estimate, at),
      },
      trial,
    ),
    describe: (at) => {
      const snapshot = at_trial(snapshots, at);
      const span = snapshot ? extent(snapshot.mean) : null;
      const seen = observations.filter((one) => one.trial <= at).length;
      return (
        `${capital(y_name)} against ${x_name}${snapshot ? ` at trial ${snapshot.trial}` : ''}, ` +
          `${x.length} points from ${short(x[0] ?? null)} to ` +
        `${short(x[x.length - 1] ?? null)} ${estimate.x_unit}. ` +
          `${span ? `Mean from ${short(span[0])} to ${short(span[1])} ${estimate.y_unit}. ` : ''}${seen} responses shown.`
      );
    },
    table: (at) => {
      const snapshot = at_trial(snapshots, at);
      return {
        columns: [
          'series',
          'trial',
          with_unit(x_name, estimate.x_unit),
          with_unit(y_name, estimate.y_unit),
          'low',
          'high',
        ],
        rows: [
          ...(snapshot
            ? x.map((place, idx) => [
                'estimate',
                snapshot.trial,
                place,
                snapshot.mean[idx] ?? null,
                snapshot.low[idx] ?? null,
                snapshot.high[idx] ?? null,
              ])
            : []),
          ...(truth.length > 0 ? x.map((place, idx) => ['truth', null, place, truth[idx] ?? null, null, null]) : []),
          ...observations
            .filter((one) => one.trial <= at)
            .map((one) => ['observation', one.trial, one.x, one.y, null, null]),
        ],
      };
    },
  };
}
