// Documents for the page, made by small simulations with fixed seeds.

export function stream(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

export const range = (count, value) => Array.from({ length: count }, (_, idx) => value(idx));
export const snapshot_trials = (last, count) => [
  ...new Set(range(count, (idx) => Math.round(last * (idx / (count - 1)) ** 2))),
];

function latency_histogram(stage, median_us, sigma, count, random) {
  const times = range(count, () => median_us * Math.exp(sigma * random.normal())).sort((a, b) => a - b);
  // Eight bins an octave, as the engine has.
  const edges_us = range(241, (idx) => 2 ** (-4 + idx / 8));
  const counts = range(240, (idx) => times.filter((time) => time >= edges_us[idx] && time < edges_us[idx + 1]).length);
  return {
    stage,
    count,
    p50_us: times[Math.floor(count * 0.5)],
    p99_us: times[Math.floor(count * 0.99)],
    max_us: times[count - 1],
    edges_us,
    counts,
  };
}

const CONFIGURATION = `format = 1
seed = 7
num_trials = 500

[subject]
kind = "glm"
cell_noise = "poisson"

[stimulus]
shape = [8, 8]
power = 1.0

[model]
kind = "glm"
link = "exponential"

[design]
utility = "information"
search = "ball"

[[compare.design]]
name = "random"
policy = "random"
`;

export const VERSIONS = { hartline: '0.1.0', Eigen: '3.4.0', 'toml++': '3.3.0', SQLite: '3.40.1' };

function learning_curve(last, random) {
  const trials = range(51, (idx) => Math.round((idx * last) / 50));
  const design = (name, role, tau) => {
    const mean = trials.map((trial) => 0.08 + 0.92 / (1 + (trial / tau) ** 1.3) + 0.006 * random.normal());
    return { name, role, trials, mean, low: mean.map((value) => value * 0.9), high: mean.map((value) => value * 1.11) };
  };
  return {
    metric: 'relative_error',
    label: 'relative error',
    unit: '',
    better: 'lower',
    num_seeds: 20,
    interval: '95 % bootstrap over 20 paired seeds',
    designs: [design('infomax', 'adaptive', last / 20), design('random', 'baseline', last / 6)],
    saved: {
      criterion: 0.3,
      baseline: 'random',
      adaptive: 'infomax',
      baseline_trials: Math.round(last * 0.388),
      adaptive_trials: Math.round(last * 0.1165),
      ratio: 3.33,
      low: 2.91,
      high: 3.78,
    },
  };
}

export function glm(last = 500) {
  const random = stream(1);
  const [rows, columns] = [8, 8];
  const truth = range(rows * columns, (idx) => {
    const [y, x] = [(Math.floor(idx / columns) - 3.5) / 1.8, ((idx % columns) - 3.5) / 1.8];
    return 0.9 * Math.exp(-(x * x + y * y) / 2) * Math.cos(1.9 * x + 0.7 * y);
  });
  const noise = truth.map(() => random.normal());
  const snapshots = snapshot_trials(last, 26).map((trial) => {
    const sd = truth.map((_, idx) => (0.5 + 0.08 * Math.sin(idx)) / Math.sqrt(1 + trial / 6));
    const kept = 1 - 1 / (1 + trial / 6);
    return { trial, mean: truth.map((value, idx) => kept * value + sd[idx] * noise[idx] * kept), sd };
  });
  return {
    format: 1,
    title: 'Receptive field of a simulated cell',
    sentence: `An 8 by 8 receptive field from ${last} trials, correlation with the truth 0.987 (95 % interval 0.981 to 0.991).`,
    figures: [
      {
        label: 'Trials saved against random',
        value: 3.3333,
        unit: '×',
        low: 2.914,
        high: 3.782,
        digits: 1,
        note: 'to a relative error of 0.3',
      },
      { label: 'Information gained', value: 112.4567, unit: 'bits', low: 108.21, high: 116.72, digits: 0 },
      { label: 'Held-out correlation', value: 0.81234, unit: '', low: 0.79, high: 0.83, digits: 2 },
      { label: 'Latency, p99', value: 4.2178, unit: 'ms', digits: 1, note: 'choose, of 10 ms' },
      { label: 'Deadlines missed', value: 0, unit: '', digits: 0 },
    ],
    estimate: { kind: 'image', shape: [rows, columns], unit: 'log rate per contrast', truth, snapshots },
    curves: [learning_curve(last, random)],
    utility: { name: 'laplace_information', label: 'expected information', unit: 'nats' },
    trials: {
      utility: range(last, (idx) => 0.6 / (1 + idx / 60) + 0.02 * random.uniform()),
      response: range(last, () => Math.max(0, Math.round(3 + 2 * random.normal()))),
      half_logdet: range(last, (idx) => -44 - 22 * Math.log(1 + idx / 6)),
      relative_error: range(last, (idx) => 0.05 + 0.95 / (1 + idx / 25) + 0.004 * random.normal()),
    },
    stimuli: {
      kind: 'image',
      shape: [rows, columns],
      caption: 'Each stimulus has the same power.',
      strip: range(24, (idx) => ({
        trial: 1 + Math.round((idx * (last - 1)) / 23),
        values: truth.map((value) => value * 0.4 * (idx / 23) + 0.3 * random.normal()),
      })),
    },
    utility_curve: {
      label: 'candidate',
      unit: '',
      x: range(60, (idx) => idx),
      snapshots: snapshot_trials(last, 12).map((trial) => {
        const values = range(
          60,
          (idx) => (0.3 + 0.25 * Math.sin(idx / 7 + trial / 90) ** 2 + 0.02 * random.uniform()) / (1 + trial / 60),
        );
        return { trial, values, chosen: values.indexOf(Math.max(...values)) };
      }),
    },
    events: [
      {
        trial: 0,
        time_s: 0,
        kind: 'start',
        message: 'The prior is broad; the first 10 stimuli are random.',
        level: 'info',
      },
      {
        trial: Math.round(last * 0.42),
        time_s: 84.2,
        kind: 'power',
        message: 'Requested contrast was clipped at 1.',
        level: 'warning',
      },
      {
        trial: Math.round(last * 0.43),
        time_s: 86.0,
        kind: 'power',
        message: 'Requested contrast was clipped at 1.',
        level: 'warning',
      },
      {
        trial: Math.round(last * 0.6),
        time_s: 120.4,
        kind: 'checkpoint',
        message: 'State written to the record.',
        level: 'info',
      },
      { trial: last, time_s: 200.8, kind: 'stop', message: 'All trials done.', level: 'info' },
    ],
    deadline: { deadline_ms: 10, misses: 0, worst_lateness_ms: 0 },
    latency: [
      latency_histogram('choose', 1800, 0.25, last, random),
      latency_histogram('update', 240, 0.3, last, random),
      latency_histogram('record', 35, 0.5, last, random),
    ],
    configuration: CONFIGURATION,
    versions: VERSIONS,
    command: 'hartline compare examples/glm_receptive_field.toml --seeds 20 --report report.html',
  };
}

export function tuning(last = 120) {
  const random = stream(2);
  const x = range(73, (idx) => idx * 5);
  const rate = (angle) => 3 + 24 * Math.exp(2.2 * (Math.cos(((angle - 135) * Math.PI) / 180) - 1));
  const truth = x.map(rate);
  const grid = range(24, (idx) => idx * 15);
  const shown = range(last, () => grid[Math.floor(random.uniform() * grid.length)]);
  const response = shown.map((angle) =>
    Math.max(0, Math.round(rate(angle) + Math.sqrt(rate(angle)) * random.normal())),
  );
  const wobble = x.map((angle) => Math.sin(angle / 37) + 0.5 * Math.cos(angle / 15));
  const snapshots = snapshot_trials(last, 20).map((trial) => {
    const kept = trial / (trial + 8);
    const half = 14 / Math.sqrt(1 + trial / 2);
    const mean = truth.map((value, idx) => kept * value + (1 - kept) * 10 + 0.25 * half * wobble[idx]);
    return {
      trial,
      mean,
      low: mean.map((value) => Math.max(0, value - half)),
      high: mean.map((value) => value + half),
    };
  });
  return {
    format: 1,
    title: 'Direction tuning of a simulated cell',
    sentence: `Preferred direction 135.2° from ${last} trials, 90 % interval 133.1° to 137.4°.`,
    figures: [
      { label: 'Preferred direction', value: 135.24, unit: '°', low: 133.11, high: 137.38, digits: 1 },
      { label: 'Information gained', value: 9.871, unit: 'bits', low: 9.2, high: 10.4, digits: 1 },
      { label: 'Peak rate', value: 26.93, unit: 'spikes', low: 25.1, high: 28.7, digits: 0 },
    ],
    estimate: {
      kind: 'curve',
      x,
      x_label: 'direction',
      x_unit: 'deg',
      y_label: 'response',
      y_unit: 'spikes',
      truth,
      snapshots,
      observations: shown.map((angle, idx) => ({ trial: idx + 1, x: angle, y: response[idx] })),
      marginals: [
        {
          name: 'preferred direction',
          unit: 'deg',
          grid: x,
          truth: 135,
          snapshots: snapshots.map(({ trial }) => {
            const weights = x.map((angle) => Math.exp(-((angle - 135) ** 2) / (2 * (120 / Math.sqrt(1 + trial)) ** 2)));
            const sum = weights.reduce((a, b) => a + b);
            return { trial, probability: weights.map((weight) => weight / sum) };
          }),
        },
        {
          name: 'baseline',
          unit: 'spikes',
          grid: range(41, (idx) => idx / 4),
          truth: 3,
          snapshots: snapshots.map(({ trial }) => {
            const weights = range(41, (idx) =>
              Math.exp(-((idx / 4 - 3.1) ** 2) / (2 * (6 / Math.sqrt(1 + trial)) ** 2)),
            );
            const sum = weights.reduce((a, b) => a + b);
            return { trial, probability: weights.map((weight) => weight / sum) };
          }),
        },
      ],
    },
    curves: [
      { ...learning_curve(last, random), label: 'error of the curve', unit: 'spikes' },
      { ...learning_curve(last, random), metric: 'entropy', label: 'entropy', unit: 'nats', saved: undefined },
    ],
    utility: {
      name: 'mmse',
      label: 'expected fall of the summed variance of the expected response',
      unit: 'spikes²',
      note: 'Trials of expected are left out: their utility is another.',
    },
    trials: {
      utility: range(last, (idx) => 0.5 / (1 + idx / 12)),
      response,
      response_label: 'spike count',
      response_unit: 'spikes',
      entropy: range(last, (idx) => 6 - 1.4 * Math.log(1 + idx / 2)),
    },
    stimuli: { kind: 'value', label: 'direction', unit: 'deg', values: shown, caption: '' },
    utility_curve: {
      label: 'direction',
      unit: 'deg',
      x: grid,
      snapshots: range(last, (idx) => {
        const values = grid.map(
          (angle) => (0.2 + Math.abs(Math.sin(((angle - 135) * Math.PI) / 360))) / (2 + idx / 10),
        );
        return { trial: idx + 1, values, chosen: grid.indexOf(shown[idx]) };
      }),
    },
    events: [{ trial: last, time_s: 61.5, kind: 'stop', message: 'All trials done.', level: 'info' }],
    deadline: { deadline_ms: 100, misses: 2, worst_lateness_ms: 3.21 },
    latency: [latency_histogram('choose', 900, 0.4, last, random)],
    configuration: CONFIGURATION,
    versions: VERSIONS,
    command: 'hartline run examples/tuning.toml --report report.html',
  };
}

export function psychometric(last = 80) {
  const random = stream(3);
  const x = range(41, (idx) => idx * 2.5);
  const probability = (contrast) => 0.5 + 0.48 / (1 + Math.exp(-(contrast - 30) / 6));
  const shown = range(last, () => 5 * Math.floor(random.uniform() * 16));
  const response = shown.map((contrast) => (random.uniform() < probability(contrast) ? 1 : 0));
  const truth = x.map(probability);
  const snapshots = range(last + 1, (trial) => {
    const half = 0.25 / Math.sqrt(1 + trial / 4);
    const mean = truth.map((value) => 0.75 + (value - 0.75) * (trial / (trial + 6)));
    return {
      trial,
      mean,
      low: mean.map((value) => Math.max(0, value - half)),
      high: mean.map((value) => Math.min(1, value + half)),
    };
  });
  return {
    format: 1,
    title: 'Contrast detection of a simulated observer',
    sentence: `Threshold 30.4 % contrast from ${last} trials.`,
    figures: [{ label: 'Threshold', value: 30.42, unit: '% contrast', low: 27.9, high: 33.1, digits: 1 }],
    estimate: {
      kind: 'curve',
      x,
      x_label: 'contrast',
      x_unit: '%',
      y_label: 'probability correct',
      y_unit: '',
      truth,
      snapshots,
      observations: shown.map((contrast, idx) => ({ trial: idx + 1, x: contrast, y: response[idx] })),
    },
    trials: { response, entropy: range(last, (idx) => 4 - Math.log(1 + idx)) },
    stimuli: { kind: 'value', label: 'contrast', unit: '%', values: shown, caption: '' },
    versions: VERSIONS,
  };
}

export function vector(last = 60) {
  const names = ['baseline', 'gain', 'history 1 bin', 'history 2 bins', 'coupling'];
  const truth = [1.2, 0.8, -1.5, -0.4, 0.1];
  return {
    format: 1,
    title: 'Parameters of a simulated cell',
    sentence: `Five parameters from ${last} trials.`,
    figures: [
      { label: 'Trials', value: 12345, unit: '', digits: 0 },
      { label: 'Responses', value: 48123, unit: 'spikes', low: 47900, high: 48350, digits: -2 },
      { label: 'Drift', value: -0.0312, unit: 'Hz/s', low: -0.05, high: -0.01, digits: 2 },
    ],
    estimate: {
      kind: 'vector',
      names,
      unit: 'log rate',
      truth,
      snapshots: range(last + 1, (trial) => ({
        trial,
        mean: truth.map((value, idx) => (value * trial) / (trial + 3 + idx)),
        sd: truth.map(() => 1 / Math.sqrt(1 + trial)),
      })),
    },
  };
}

export const empty = () => ({ format: 1, title: 'An empty record', sentence: 'No trial has been run.' });

export function one_trial() {
  const full = glm(1);
  full.estimate.snapshots = full.estimate.snapshots.slice(0, 2);
  full.curves = [
    {
      ...full.curves[0],
      designs: [{ name: 'infomax', role: 'adaptive', trials: [1], mean: [0.9], low: [null], high: [null] }],
      saved: undefined,
    },
  ];
  full.stimuli.strip = full.stimuli.strip.slice(-1);
  // Seven decades of time: a bar is hardly wider than a pixel.
  const random = stream(1);
  full.latency = [['record', 1], ['choose', 1e7]].map(([name, at]) => latency_histogram(name, at, 0, 1, random));
  return full;
}

/** Values that do not exist, members that are absent, columns that are too short. */
export function with_nulls() {
  const full = glm(100);
  full.title = 'Values that do not exist';
  full.estimate.marginals = [{ name: 'gap', unit: '', grid: [0, null, 1], snapshots: [] }];
  delete full.command;
  full.figures[0] = { label: 'Trials saved', value: null, unit: '×', low: null, high: null };
  full.figures[1].digits = null;
  for (const one of full.estimate.snapshots) one.mean[9] = one.sd[9] = null;
  full.estimate.truth[18] = null;
  full.estimate.snapshots[0].mean = full.estimate.snapshots[0].mean.map(() => null);
  full.curves[0].designs[1].mean = full.curves[0].designs[1].mean.map((value, idx) => (idx % 3 === 0 ? null : value));
  full.curves[0].saved = { ...full.curves[0].saved, baseline_trials: null, ratio: null, low: null, high: null };
  full.curves.push(
    { metric: 'entropy', designs: [] },
    { metric: 'entropy', designs: [{ name: 'descending', role: 'adaptive', trials: [2, 1], mean: [1, 2] }] },
    {
      metric: 'heldout_correlation',
      designs: [{ name: 'nothing', role: 'adaptive', trials: [0, 1], mean: [null, null] }],
    },
  );
  full.trials.utility = full.trials.utility.map(() => null);
  full.trials.response = full.trials.response.map((value, idx) => (idx % 4 === 0 ? null : value));
  full.trials.relative_error = full.trials.relative_error.slice(0, 40);
  full.stimuli.strip[3].values = [];
  full.utility_curve.snapshots[2].chosen = null;
  full.utility_curve.snapshots[3].values = full.utility_curve.snapshots[3].values.map(() => null);
  full.events.push({ kind: 'lost', message: 'An event with neither trial nor time.', level: 'warning' }, null);
  full.deadline = { deadline_ms: null, misses: null, worst_lateness_ms: null };
  full.latency.push({
    stage: 'never ran',
    count: 0,
    p50_us: null,
    p99_us: null,
    max_us: null,
    edges_us: [0, 1, 2],
    counts: [0, 0],
  });
  return full;
}

export const long = () => ({ ...glm(10000), title: 'Ten thousand trials' });

/** Text that would end the data element or the page if it were not escaped. */
export function hostile() {
  const full = psychometric(10);
  full.title = '</script><img src=x onerror=alert(1)> & "quotes" <!-- -->';
  full.sentence = '<b>not bold</b>';
  return full;
}
