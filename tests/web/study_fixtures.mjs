// Documents with several designs on a cell, validation, mismatch, populations, maps and many events.
import { glm, psychometric, range, snapshot_trials, stream, tuning, vector, VERSIONS } from './fixtures.mjs';

/** Two designs that take turns; `estimate` makes each one's belief from its quality. */
function arms(last, estimate, random, uncertainty = 'half_logdet') {
  const arm = (name, role, offset, tau) => {
    const trials = range(Math.floor((last - offset + 1) / 2), (idx) => 1 + offset + 2 * idx);
    return {
      name,
      role,
      num_trials: trials.length,
      trials,
      relative_error: trials.map((_, idx) => 0.06 + 0.94 / (1 + (idx / tau) ** 1.2) + 0.005 * random.normal()),
      [uncertainty]: trials.map((_, idx) => (uncertainty === 'entropy' ? 6 : -40) - 8 * Math.log(1 + idx / tau)),
      estimate: estimate(1 - 1 / (1 + last / (8 * tau))),
    };
  };
  return [arm('infomax', 'adaptive', 0, last / 30), arm('random', 'baseline', 1, last / 8)];
}

function validation(last, random) {
  const stimuli = range(8, (idx) => {
    const predicted = 2 + 2.2 * idx;
    const trials = range(Math.max(1, Math.floor(last / 80)), (turn) => 1 + Math.min(last - 1, 10 * (8 * turn + idx)));
    return {
      label: `image ${idx + 1}`,
      trials,
      responses: trials.map((trial) =>
        Math.max(0, Math.round(predicted - 0.002 * trial + Math.sqrt(predicted) * random.normal())),
      ),
      predicted,
      predicted_low: 0.85 * predicted,
      predicted_high: 1.15 * predicted,
    };
  });
  return {
    share: 0.1,
    stimuli,
    ceiling: { correlation: 0.9123, low: 0.871, high: 0.944 },
    model: { correlation: 0.8432, low: 0.79, high: 0.884 },
    drift: { slope: -0.0412, low: -0.113, high: 0.031, unit: 'sd per 100 trials', p_value: 0.2634 },
    note: 'The ceiling is corrected for the number of repeats.',
  };
}

function mismatch(last, random, alarm_trial = null) {
  let evidence = 0;
  const trials = range(last, (idx) => idx + 1);
  const log10_evidence = trials.map((trial) => {
    evidence += alarm_trial === null ? 0.02 * random.normal() - 0.001 : 2 / alarm_trial + 0.01 * random.normal();
    return alarm_trial !== null && trial === alarm_trial ? Math.max(2, evidence) : evidence;
  });
  return {
    false_alarm: 0.01,
    threshold: 2,
    trials,
    log10_evidence,
    alarm_trial,
    strategies: [
      { name: 'too many zeros', log10_evidence: log10_evidence.at(-1) - 1.5 },
      { name: 'overdispersion', log10_evidence: log10_evidence.at(-1) + 0.25 },
      { name: 'drift', log10_evidence: -0.8 },
    ],
    pit: {
      counts: range(10, (idx) => Math.round(last / 10 + (alarm_trial === null ? 2 : last / 12) * Math.cos(idx * 0.7))),
    },
  };
}

export function population(count, last, random = stream(11)) {
  const shape = [10, 12];
  return {
    num_cells: count,
    cells: range(count, (idx) => {
      const [x, y, size] = [2 + 8 * random.uniform(), 2 + 6 * random.uniform(), 1 + random.uniform()];
      const truth = range(shape[0] * shape[1], (place) => {
        const squared = ((place % 12) - x) ** 2 + (Math.floor(place / 12) - y) ** 2;
        return (
          (Math.exp(-squared / (2 * size ** 2)) - 0.4 * Math.exp(-squared / (8 * size ** 2))) * (idx % 3 === 0 ? -1 : 1)
        );
      });
      const noise = 0.05 + (0.6 * idx) / count;
      return {
        cell: (idx * 37) % count,
        name: `unit ${(idx * 37) % count}`,
        information_bits: 80 / (1 + idx / 20),
        num_responses: last - Math.floor((last * idx) / (2 * count)),
        first_trial: 1 + Math.floor((last * idx) / (4 * count)),
        last_trial: last - Math.floor((last * idx) / (5 * count)),
        shape,
        mean: truth.map((value) => value + noise * random.normal()),
        truth,
        sd: truth.map(() => noise * (0.8 + 0.4 * random.uniform())),
      };
    }),
  };
}

const MESSAGES = {
  mismatch: 'The model does not describe the responses.',
  edge: 'The belief has 6 % of its weight at the edge of its grid.',
  border: 'The chosen stimulus lies at the border of what may be shown.',
  repeats: 'The same stimulus was chosen three times in a row.',
  stalled: 'No information was gained in 50 trials.',
  aborted: 'The display refused the stimulus.',
  stop: 'The stopping rule is met.',
  late: 'The response came 3.2 ms after its deadline.',
  lost: 'No response came.',
  cell: 'cell 7 had no value in 20 trials and counts as gone',
};
const WARNINGS = new Set(['mismatch', 'edge', 'stalled', 'aborted', 'late', 'lost']);

function events(count, last, random) {
  const kinds = Object.keys(MESSAGES);
  const once = ['mismatch', 'stop', 'aborted'];
  return range(count, (idx) => {
    const kind =
      idx < kinds.length ? kinds[idx] : kinds.filter((one) => !once.includes(one))[Math.floor(random.uniform() * 7)];
    const trial = 1 + Math.floor(((idx + random.uniform()) * (last - 1)) / count);
    return {
      trial,
      time_s: trial * 0.41,
      kind,
      message: MESSAGES[kind],
      level: WARNINGS.has(kind) ? 'warning' : 'info',
    };
  });
}

/** An image over lags with every new part that can stand beside it. */
export function study(last = 400) {
  const random = stream(21);
  const full = glm(last);
  const [rows, columns, num_lags] = [8, 8, 6];
  const kernel = (lag) => Math.exp(-lag / 2) * Math.cos(lag * 0.9);
  const over_lags = (values) => range(num_lags, (lag) => values.map((value) => value * kernel(lag))).flat();
  const truth = over_lags(full.estimate.truth);
  const noise = truth.map(() => random.normal());
  const blurred = (kept) => truth.map((value, idx) => kept * value + 0.35 * (1 - kept) * noise[idx]);
  full.title = 'Space and time of a simulated cell';
  full.estimate = {
    kind: 'image',
    shape: [rows, columns],
    num_lags,
    frame_ms: 16.7,
    unit: 'log rate per contrast',
    truth,
    snapshots: snapshot_trials(last, 12).map((trial) => ({
      trial,
      mean: blurred(1 - 1 / (1 + trial / 20)),
      sd: truth.map((_, idx) => (0.4 + 0.05 * Math.sin(idx)) / Math.sqrt(1 + trial / 10)),
    })),
  };
  full.curves = [];
  full.arms = arms(
    last,
    (kept) => ({
      ...full.estimate,
      truth: undefined,
      snapshots: [0, last].map((trial) => ({
        trial,
        mean: blurred(trial === 0 ? 0 : kept),
        sd: truth.map(() => (trial === 0 ? 0.4 : 0.1)),
      })),
    }),
    random,
  );
  full.validation = validation(last, random);
  full.mismatch = mismatch(last, random);
  full.population = population(24, last, random);
  full.events = events(24, last, random);
  return full;
}

/** A curve, an alarm, and events by the thousand. */
export function alarmed(last = 1000) {
  const random = stream(22);
  const full = tuning(last);
  full.title = 'A cell that the model does not describe';
  const { x, truth } = full.estimate;
  full.arms = arms(
    last,
    (kept) => ({
      ...full.estimate,
      observations: [],
      marginals: [],
      snapshots: range(9, (idx) => {
        const part = (kept * idx) / 8;
        const mean = truth.map((value, place) => part * value + (1 - part) * (10 + 6 * Math.sin(x[place] / 40)));
        const half = 8 * (1 - part) + 0.5;
        return {
          trial: Math.round((idx * last) / 8),
          mean,
          low: mean.map((value) => value - half),
          high: mean.map((value) => value + half),
        };
      }),
    }),
    random,
    'entropy',
  );
  full.mismatch = mismatch(last, random, 612);
  full.validation = { ...validation(last, random), ceiling: null, drift: null, note: '' };
  full.events = events(1000, last, random);
  return full;
}

/** A map over uneven coordinates, points as stimuli, designs with maps. */
export function map(last = 90) {
  const random = stream(23);
  const x = range(30, (idx) => -15 + idx);
  const y = range(20, (idx) => 0.5 * 1.2 ** idx);
  const height = (across, up) => 20 * Math.exp(-((across - 3) ** 2) / 30 - Math.log(up / 3) ** 2) + 2;
  const truth = y.flatMap((up) => x.map((across) => height(across, up)));
  const observations = range(last, (idx) => {
    const [across, up] = [-15 + 29 * random.uniform(), 0.5 * 1.2 ** (19 * random.uniform())];
    return { trial: idx + 1, x: across, y: up, r: Math.round(height(across, up) + 2 * random.normal()) };
  });
  const belief = (kept, trial) => ({
    trial,
    mean: truth.map((value, idx) => 8 + kept * (value - 8) + (1 - kept) * Math.sin(idx / 5)),
    sd: truth.map((_, idx) => 1 + (5 + 2 * Math.sin(idx / 40)) / Math.sqrt(1 + trial / 4)),
  });
  const estimate = {
    kind: 'map',
    x,
    y,
    x_label: 'position',
    x_unit: 'deg',
    y_label: 'speed',
    y_unit: 'deg/s',
    unit: 'spikes/s',
    truth,
    snapshots: snapshot_trials(last, 10).map((trial) => belief(trial / (trial + 15), trial)),
    observations,
  };
  return {
    format: 1,
    title: 'Position and speed of a simulated cell',
    sentence: `A map of 30 by 20 cells from ${last} trials.`,
    figures: [{ label: 'Best speed', value: 3.04, unit: 'deg/s', low: 2.7, high: 3.3, digits: 1 }],
    estimate,
    arms: arms(
      last,
      (kept) => ({ ...estimate, observations: [], snapshots: [belief(0, 0), belief(kept, last)] }),
      random,
    ),
    stimuli: {
      kind: 'point',
      x: observations.map((one) => one.x),
      y: observations.map((one) => one.y),
      x_label: 'position',
      x_unit: 'deg',
      y_label: 'speed',
      y_unit: 'deg/s',
      caption: '',
    },
    versions: VERSIONS,
  };
}

/** Designs with named parameters; an image whose rows are lags. */
export function parameters(last = 60) {
  const random = stream(24);
  const full = vector(last);
  const { names, truth } = full.estimate;
  full.title = 'Parameters from two designs';
  full.arms = arms(
    last,
    (kept) => ({
      kind: 'vector',
      names,
      unit: 'log rate',
      truth,
      snapshots: [0, last].map((trial) => ({
        trial,
        mean: truth.map((value) => (trial === 0 ? 0 : kept * value)),
        sd: truth.map(() => (trial === 0 ? 1 : 1.1 - kept)),
      })),
    }),
    random,
  );
  full.estimate = {
    kind: 'image',
    shape: [20, 3],
    row_label: 'lag (frame)',
    column_label: 'input',
    unit: 'log rate',
    snapshots: range(last + 1, (trial) => ({
      trial,
      mean: range(60, (idx) => (Math.cos(idx / 9) * trial) / (trial + 5)),
      sd: range(60, (idx) => (1 + 0.1 * Math.sin(idx)) / Math.sqrt(1 + trial)),
    })),
  };
  // Without shape a cell is a vector of bars; without truth and sd it has its mean alone.
  full.population = population(5, last, random);
  full.population.cells = full.population.cells.map((cell, idx) => ({
    ...cell,
    shape: undefined,
    mean: cell.mean.slice(0, 24),
    truth: idx === 1 ? undefined : cell.truth.slice(0, 24),
    sd: idx === 1 ? undefined : cell.sd.slice(0, 24),
  }));
  return full;
}

export const thousand_cells = () => ({
  format: 1,
  title: 'A thousand cells',
  sentence: 'Receptive fields of a thousand cells from 5,000 trials.',
  population: population(1000, 5000),
});

/** Every part after one trial. */
export function first_trial() {
  const random = stream(25);
  const full = map(1);
  full.estimate.snapshots = full.estimate.snapshots.slice(0, 2);
  full.arms = [{ ...full.arms[0], num_trials: 1, trials: [1], relative_error: [0.9], half_logdet: [-40] }];
  full.validation = { ...validation(1, random), ceiling: null, model: { correlation: null, low: null, high: null } };
  full.validation.stimuli = full.validation.stimuli.slice(0, 1);
  full.mismatch = mismatch(1, random);
  full.mismatch.pit.counts = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  full.population = population(1, 1, random);
  full.events = events(1, 1, random);
  return full;
}

/** Every part empty, and then with what cannot be drawn. */
export const hollow = () => ({
  format: 1,
  title: 'Parts that hold nothing',
  estimate: { kind: 'map', x: [], y: [] },
  arms: [{}, { name: 'random', role: 'baseline', num_trials: 0, trials: [], half_logdet: [] }],
  validation: {},
  mismatch: {},
  population: { num_cells: 0, cells: [] },
  stimuli: { kind: 'point' },
  events: [],
});

export function gaps() {
  const full = study(120);
  full.title = 'Study with values that do not exist';
  for (const one of full.estimate.snapshots) one.mean[70] = one.sd[70] = null;
  full.estimate.truth[5] = null;
  full.estimate.frame_ms = null;
  full.arms[0].relative_error = full.arms[0].relative_error.map((value, idx) => (idx % 5 === 0 ? null : value));
  full.arms[1].half_logdet = full.arms[1].half_logdet.map(() => null);
  full.arms[1].estimate = psychometric(10).estimate;
  full.arms.push({
    name: 'thinned',
    role: 'baseline',
    num_trials: 40,
    trials: [1, 20, 40],
    relative_error: [1, 0.5, 0.2],
  });
  full.arms.push({ name: 'descending', role: 'baseline', num_trials: 2, trials: [2, 1], relative_error: [1, 0.5] });
  const [first, second, third, fourth] = full.validation.stimuli;
  first.responses = first.responses.map(() => null);
  second.predicted = second.predicted_low = null;
  third.predicted_high = null;
  fourth.trials = [2, null];
  full.validation.model.low = null;
  full.validation.drift = { slope: null, low: null, high: null, unit: '', p_value: null };
  full.mismatch.log10_evidence = full.mismatch.log10_evidence.map((value, idx) => (idx < 10 ? null : value));
  full.mismatch.threshold = full.mismatch.false_alarm = null;
  full.mismatch.pit.counts[4] = null;
  full.mismatch.strategies = [{ name: 'unknown', log10_evidence: null }];
  const [one, two, three] = full.population.cells;
  one.information_bits = one.first_trial = one.num_responses = null;
  one.mean[50] = one.sd[51] = null;
  two.mean = two.mean.map(() => null);
  delete three.mean;
  full.population.num_cells = 30;
  full.events.push({ kind: 'lost', message: 'Without a trial.', level: 'warning' }, { trial: 5 });
  return full;
}
