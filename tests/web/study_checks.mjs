// What must hold of designs on a cell, validation, mismatch, populations and events. Each check returns null, or what is wrong.
import { drawn } from './browser.mjs';
import { accessible, cell, csv, csv_heads, first_difference, no_broken_words } from './checks.mjs';

const plain = (text) => text.replace(/\u202f/g, '').replace(/\u2212/g, '-');
const exists = (value) => typeof value === 'number';
const has = (page, figure) => page.$(`#${figure}`);
const ascending = (trials) => trials.every((trial, idx) => exists(trial) && (idx === 0 || trial >= trials[idx - 1]));
/** First of all checks that finds something wrong. */
async function first_wrong(...checks) {
  for (const check of checks) {
    const wrong = await check();
    if (wrong) return wrong;
  }
  return null;
}

async function arms_are_the_documents(page, { arms }) {
  const whole = arms.filter(
    (arm) => arm.trials?.length > 0 && arm.trials.length === arm.num_trials && ascending(arm.trials),
  );
  const measure = async (figure, member) => {
    const measured = whole.filter((arm) => arm[member]?.some(exists));
    if (measured.length === 0) return (await has(page, figure)) ? `${figure} is drawn of nothing` : null;
    const wanted = measured.flatMap((arm) =>
      arm.trials.map((trial, idx) => [arm.name, arm.role, cell(idx + 1), cell(trial), cell(arm[member][idx])]),
    );
    const wrong = first_difference(await csv(page, figure), wanted);
    return wrong && `${figure}: ${wrong}`;
  };
  const estimates = async () => {
    const [first] = arms.filter((arm) => arm.estimate?.snapshots?.length);
    if (!first) return null;
    const rows = await csv(page, 'arms-estimates');
    for (const { name, estimate } of arms.filter((arm) => arm.estimate?.kind === first.estimate.kind)) {
      const [shown, mean] = [rows.filter((row) => row[0] === name), estimate.snapshots.at(-1).mean];
      const column = shown[0].length - 2;
      if (shown.map((row) => row[column]).join() !== mean.map(cell).join()) return `the means of ${name} differ`;
    }
    return null;
  };
  return first_wrong(
    () => measure('arms-relative-error', 'relative_error'),
    () => measure('arms-half-logdet', 'half_logdet'),
    () => measure('arms-entropy', 'entropy'),
    estimates,
  );
}

async function validation_is_the_documents(page, { validation }) {
  const numbers = async () => {
    const shown = await page.$$eval('#validation .merits > div', (parts) => parts.map((part) => part.innerText));
    const wanted = [
      [validation.model, 'correlation'],
      [validation.ceiling, 'correlation'],
      [validation.drift, 'slope'],
    ].filter(([given]) => given);
    if (shown.length !== wanted.length) return `${shown.length} numbers for ${wanted.length}`;
    for (const [idx, [given, member]] of wanted.entries()) {
      const text = plain(shown[idx]);
      const parts = exists(given[member]) ? [given[member]] : [];
      if (exists(given.low) && exists(given.high)) parts.push(given.low, given.high);
      for (const part of parts) if (!text.includes(part.toFixed(2))) return `${part} is not in "${text}"`;
      if (parts.length === 0 && !text.includes('not known')) return `"${text}" for a value that does not exist`;
    }
    return null;
  };
  const stimuli = (validation.stimuli ?? []).filter((one) => ascending(one.trials) && one.responses.some(exists));
  const predictions = async () => {
    const wanted = stimuli.filter((one) => exists(one.predicted));
    if (wanted.length === 0) return null;
    const rows = await csv(page, 'prediction');
    if (rows.length !== wanted.length) return `${rows.length} predictions for ${wanted.length}`;
    for (const [idx, one] of wanted.entries()) {
      const values = one.responses.filter(exists);
      const mean = values.reduce((a, b) => a + b) / values.length;
      const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
      const [label, count, shown_mean, error, ...predicted] = rows[idx];
      if (label !== one.label || Number(count) !== values.length) return `row "${rows[idx]}" for ${one.label}`;
      if (Math.abs(Number(shown_mean) - mean) > 1e-9) return `${label}: mean ${shown_mean}, not ${mean}`;
      if (values.length > 1 && Math.abs(Number(error) - Math.sqrt(spread / values.length)) > 1e-9)
        return `${label}: standard error ${error}, not ${Math.sqrt(spread / values.length)}`;
      if (predicted.join() !== [one.predicted, one.predicted_low, one.predicted_high].map(cell).join())
        return `${label}: predicted ${predicted}`;
    }
    return null;
  };
  const repeats = async () => {
    if (!(await has(page, 'repeats')))
      return stimuli.some((one) => new Set(one.responses.filter(exists)).size > 1) ? 'no repeats' : null;
    const wanted = stimuli
      .flatMap((one) => one.trials.map((trial, idx) => [one.label, cell(trial), cell(one.responses[idx])]))
      .sort((a, b) => a[1] - b[1]);
    return first_difference(
      (await csv(page, 'repeats')).map((row) => row.slice(0, 3)),
      wanted,
    );
  };
  return first_wrong(numbers, predictions, repeats);
}

async function mismatch_is_the_documents(page, { mismatch }) {
  const strongest = [...(mismatch.strategies ?? [])]
    .filter((one) => exists(one.log10_evidence))
    .sort((a, b) => b.log10_evidence - a.log10_evidence)[0];
  const seen = mismatch.trials?.at(-1);
  const percent = 100 * mismatch.false_alarm;
  const alarms = exists(mismatch.false_alarm) ? ` (false alarms: at most ${percent} % of runs)` : '';
  const wanted = exists(mismatch.alarm_trial)
    ? `The model does not describe the responses: alarm at trial ${mismatch.alarm_trial}; strongest: ${strongest.name}.`
    : seen
      ? `No mismatch found in ${seen} ${seen === 1 ? 'trial' : 'trials'}${alarms}.`
      : 'The mismatch test has seen no trial yet.';
  const shown = plain(await page.textContent('#mismatch-sentence'));
  if (shown !== wanted) return `"${shown}" in place of "${wanted}"`;
  const marked = await page.$eval('#mismatch-sentence', (one) => one.classList.contains('message'));
  if (marked !== exists(mismatch.alarm_trial)) return 'an alarm must stand out, and nothing else';
  if (!seen) return null;
  const evidence = first_difference(await csv(page, 'mismatch-evidence'), [
    ...mismatch.trials.map((trial, idx) => ['all', cell(trial), cell(mismatch.log10_evidence[idx])]),
    ...mismatch.strategies.map((one) => [one.name, cell(seen), cell(one.log10_evidence)]),
  ]);
  if (evidence) return `evidence: ${evidence}`;
  const pit = (await csv(page, 'mismatch-pit')).map((row) => row[2]);
  if (pit.join() !== mismatch.pit.counts.map(cell).join()) return `histogram of ${pit}`;
  // The alarm is drawn: its colour stands in the picture, and only then.
  const warned = await page.$eval('#mismatch-evidence canvas', (canvas) => {
    const name = getComputedStyle(document.documentElement).getPropertyValue('--warning').trim();
    const colour = [1, 3, 5].map((start) => parseInt(name.slice(start, start + 2), 16));
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let idx = 0; idx < data.length; idx += 4)
      if (colour.every((part, place) => data[idx + place] === part)) return true;
    return false;
  });
  return warned === exists(mismatch.alarm_trial) ? null : `the alarm is ${warned ? '' : 'not '}drawn`;
}

/** Tiles in order and coloured; a cell opens by pointer and by keys, and the keyboard comes back to where it was. */
async function population_is_the_documents(page, { population }) {
  const { cells } = population;
  if (cells.length === 0) return (await has(page, 'population')) ? 'a part of nothing' : null;
  const label = (idx) =>
    page.$eval(`[data-cell="${idx}"]`, (one) => one.innerText.split('\n').filter(Boolean).join('|'));
  const title = () => page.$eval('dialog[open] h3', (one) => one.textContent).catch(() => null);
  const focused = () => page.evaluate(() => document.activeElement.dataset.cell ?? document.activeElement.tagName);
  const tiles = async () => {
    const count = await page.$$eval('.cell', (all) => all.length);
    if (count !== Math.min(60, cells.length)) return `${count} tiles`;
    for (const idx of [0, count - 1]) {
      const shown = await label(idx);
      if (!shown.startsWith(`${cells[idx].name}|`)) return `tile ${idx} says "${shown}"`;
      const bits = cells[idx].information_bits;
      if (exists(bits) && Math.abs(Number(/\|(\S+) bits/.exec(plain(shown))?.[1]) - bits) > 0.005 * bits)
        return `tile ${idx} says "${shown}" for ${bits} bits`;
    }
    const colours = await page.$eval('.cell canvas', (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const found = new Set();
      for (let idx = 0; idx < data.length; idx += 4) found.add(`${data.slice(idx, idx + 4)}`);
      return found.size;
    });
    return colours >= (cells[0].shape ? 24 : 3) ? null : `the first tile has ${colours} colours`;
  };
  const by_pointer = async () => {
    await page.click('[data-cell="0"]');
    await drawn(page);
    if (!(await title())?.startsWith(`${cells[0].name}:`)) return `a click opens "${await title()}"`;
    const { colours, caption } = await page.$eval('dialog[open]', (dialog) => {
      const canvas = dialog.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const found = new Set();
      for (let idx = 0; idx < data.length; idx += 4)
        found.add((data[idx] << 16) | (data[idx + 1] << 8) | data[idx + 2]);
      return { colours: found.size, caption: dialog.querySelector('figcaption').textContent };
    });
    if (colours < 20) return `the large cell has ${colours} colours`;
    const { first_trial, last_trial } = cells[0];
    if (exists(first_trial) && !plain(caption).includes(`trials ${first_trial} to ${last_trial} of`))
      return `caption "${caption}"`;
    const wide = await page.$eval('dialog[open]', (one) => one.scrollWidth > one.clientWidth + 1);
    if (wide) return 'the large cell is wider than its window';
    return (await accessible(page)) ?? (await no_broken_words(page));
  };
  // The focus moves when the browser tells of the closing, which is after the key.
  const close = async () => {
    await page.keyboard.press('Escape');
    await drawn(page);
  };
  const by_keys = async () => {
    await close();
    if (await page.$('dialog[open]')) return 'Escape does not close';
    if ((await focused()) !== '0') return `the focus comes back to ${await focused()}`;
    if (cells.length < 3) return null;
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    if (!(await title())?.startsWith(`${cells[1].name}:`)) return `Enter opens "${await title()}"`;
    await page.keyboard.press('ArrowRight');
    if (!(await title())?.startsWith(`${cells[2].name}:`)) return `an arrow leads to "${await title()}"`;
    await close();
    return (await focused()) === '2' ? null : `the focus comes back to ${await focused()}`;
  };
  const by_pages = async () => {
    if (cells.length <= 60) return (await page.$('.cells + .pager')) ? 'pages of one page' : null;
    const start = Date.now();
    await page.click('.cells + .pager button:last-child');
    await drawn(page);
    if (Date.now() - start > 500) return `a page takes ${Date.now() - start} ms`;
    if (!(await label(60)).startsWith(`${cells[60].name}|`)) return `the next page begins with "${await label(60)}"`;
    await page.focus('[data-cell="60"]');
    await page.keyboard.press('ArrowLeft');
    if ((await focused()) !== '59') return `an arrow over the edge leads to ${await focused()}`;
    await page.keyboard.press('End');
    return (await focused()) === String(cells.length - 1) ? null : `End leads to ${await focused()}`;
  };
  const numbers = async () => {
    const all = cells.flatMap((one) =>
      (one.mean ?? (one.shape ? Array(one.shape[0] * one.shape[1]).fill(null) : [])).map((mean, idx) =>
        [one.cell, one.name, one.information_bits, one.num_responses, one.first_trial, one.last_trial, idx, mean]
          .concat([one.sd?.[idx], one.truth?.[idx]])
          .map((value) => (typeof value === 'string' ? value : cell(value))),
      ),
    );
    // Cells without a mean have as many empty rows as their shape or none; the others are compared in full.
    const given = new Set(cells.filter((one) => one.mean).map((one) => one.name));
    const rows = (await csv(page, 'cells')).filter((row) => given.has(row[1]));
    return first_difference(
      rows,
      all.filter((row) => given.has(row[1])),
    );
  };
  return first_wrong(tiles, by_pointer, by_keys, by_pages, numbers);
}

/** Every kind with its count; warnings first; every message to be had. */
async function events_are_the_documents(page, document) {
  const events = document.events.filter(Boolean);
  if (events.length === 0) return null;
  const warnings = events.filter((one) => one.level === 'warning').length;
  const health = plain(await page.$eval('#health', (one) => one.innerText));
  const told = warnings === 0 ? 'No warnings.' : `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}: `;
  if (!health.includes(told)) return `"${told}" is not said`;
  if (events.length <= 20) {
    const missing = events.find((one) => !health.includes(one.message));
    return missing ? `"${missing.message}" is not listed` : null;
  }
  const kinds = [...new Set(events.map((one) => one.kind ?? 'other'))];
  const shown = await page.$$eval('.kinds summary', (all) => all.map((one) => one.innerText.trim()));
  if (shown.length !== kinds.length) return `${shown.length} kinds listed of ${kinds.length}`;
  for (const kind of kinds) {
    const count = events.filter((one) => (one.kind ?? 'other') === kind).length;
    if (!shown.some((one) => plain(one).startsWith(`${kind} ${count}`))) return `no ${kind} ${count} among ${shown}`;
  }
  const first_quiet = shown.findIndex((one) => !one.includes('warning'));
  if (first_quiet >= 0 && shown.slice(first_quiet).some((one) => one.includes('warning')))
    return 'warnings are not first';
  const height = await page.$eval('#events canvas', (canvas) => canvas.clientHeight);
  if (height > 60 + 30 * kinds.length) return `the time line is ${height} px high for ${kinds.length} kinds`;
  await page.click('.kinds summary');
  await drawn(page);
  const [kind] = shown[0].split(' ');
  const listed = await page.$$eval('.kinds details:first-child tbody tr', (rows) =>
    rows.map((row) => row.lastChild.textContent),
  );
  const wanted = events.filter((one) => one.kind === kind).map((one) => one.message);
  if (listed.join() !== wanted.slice(0, 100).join()) return `"${listed.slice(0, 3)}" is listed for ${kind}`;
  const rows = await csv(page, 'events');
  return rows.length === events.length ? null : `${rows.length} rows for ${events.length} events`;
}

async function points_are_the_documents(page, { stimuli }) {
  if (stimuli.kind !== 'point' || !stimuli.x) return null;
  const wanted = stimuli.x.map((x, idx) => [cell(idx + 1), cell(x), cell(stimuli.y[idx])]);
  return first_difference(await csv(page, 'stimuli'), wanted);
}

/** The place (0 to 1) of the pixel of greatest `rank` in a part of a drawing. */
const greatest = (page, figure, part, rank) =>
  page.$eval(
    `#${figure} canvas`,
    (canvas, [[left, top, right, bottom], name]) => {
      const [width, height] = [canvas.width * (right - left), canvas.height * (bottom - top)].map(Math.round);
      const { data } = canvas.getContext('2d').getImageData(canvas.width * left, canvas.height * top, width, height);
      let [best, place] = [-1, 0];
      for (let idx = 0; idx < data.length; idx += 4) {
        const rgb = [data[idx], data[idx + 1], data[idx + 2]];
        const value = name === 'light' ? rgb[0] + rgb[1] + rgb[2] : Math.max(...rgb) - Math.min(...rgb);
        if (value > best) [best, place] = [value, idx / 4];
      }
      return { x: (place % width) / width, y: Math.floor(place / width) / height };
    },
    [part, rank],
  );

/** In the map made for these tests the truth has its peak low on the vertical axis. In the dark, on a wide page. */
export async function map_is_upright(page) {
  const peak = await greatest(page, 'map', [0.4, 0.12, 0.62, 0.68], 'light');
  return peak.y > 0.6 ? null : `the peak lies at ${peak.y} from the top`;
}

/** In the lags made for these tests lag 0 is the strongest. On a wide page. */
export async function lag_0_is_first(page) {
  const strongest = await greatest(page, 'receptive-field', [0, 0, 1, 0.17], 'colourful');
  return strongest.x < 0.17 ? null : `the strongest colour lies at ${strongest.x} from the left`;
}

/** Axis, words and saved numbers speak of the document's utility and its unit. */
async function utility_is_the_documents(page, { utility, trials, utility_curve }) {
  const { label, unit, note } = utility;
  const drawn = [...(trials?.utility?.some((one) => one !== null) ? ['trial-utility'] : []), ...(utility_curve ? ['utility'] : [])];
  if (drawn.length === 0) return 'the document has no utility to draw';
  for (const figure of drawn) {
    const told = await page.$eval(`#${figure} .drawing`, (drawing) => drawing.getAttribute('aria-label'));
    if (unit && !told.includes(` ${unit}`)) return `#${figure} is described as "${told}", without ${unit}`;
    if (unit !== 'nats' && /\bnats\b/.test(told)) return `#${figure} is described in nats: "${told}"`;
    const caption = await page.textContent(`#${figure} figcaption`);
    if (!caption.toLowerCase().startsWith(label.toLowerCase())) return `the caption of #${figure} is "${caption}"`;
    if (figure === 'trial-utility' && note && !caption.endsWith(note)) return `the caption lacks "${note}"`;
    const heads = await csv_heads(page, figure);
    if (!heads.includes(unit ? `utility (${unit})` : 'utility')) return `#${figure} is saved as ${heads.join(',')}`;
  }
  return null;
}

export const OF_PARTS = {
  utility: utility_is_the_documents,
  arms: arms_are_the_documents,
  validation: validation_is_the_documents,
  mismatch: mismatch_is_the_documents,
  'population.cells': population_is_the_documents,
  events: events_are_the_documents,
  stimuli: points_are_the_documents,
};
