// What must hold on a page that shows a document. Each check returns null, or what is wrong.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { drawn } from './browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const silent = (heard) => heard.join(' | ') || null;

export const fits_the_width = (page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width)
      return `the page is ${document.documentElement.scrollWidth} px wide in ${width} px`;
    for (const one of document.querySelectorAll('main *')) {
      if (one.closest('pre, .scroll, .drawing')) continue;
      const { right, left } = one.getBoundingClientRect();
      if (right > width + 0.5 || left < -0.5)
        return `<${one.tagName.toLowerCase()} class="${one.className}"> reaches from ${left} to ${right} px in ${width} px`;
    }
    for (const canvas of document.querySelectorAll('.drawing canvas')) {
      if (canvas.getBoundingClientRect().right > canvas.closest('.drawing').getBoundingClientRect().right + 0.5)
        return `the drawing of ${canvas.closest('figure').id} is cut`;
    }
    return null;
  });

/** Distinct colours a canvas, where axes and text alone have the few shades between ink and background; images also fill an area. */
export const drawings_have_colours = (page) =>
  page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => parseInt(style.getPropertyValue(name).trim().slice(1), 16);
    const background = named('--background');
    const wrong = [...document.querySelectorAll('figure')]
      .filter((figure) => !figure.querySelector('.drawing canvas'))
      .map((figure) => `${figure.id} is not drawn`);
    for (const canvas of document.querySelectorAll('.drawing canvas')) {
      if (canvas.closest('button')) continue; // a tile is checked with its population
      const id = canvas.closest('figure').id;
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set();
      let filled = 0;
      for (let idx = 0; idx < data.length; idx += 4) {
        const colour = (data[idx] << 16) | (data[idx + 1] << 8) | data[idx + 2];
        colours.add(colour);
        if (colour !== background) ++filled;
      }
      const images =
        id === 'receptive-field' ||
        id === 'map' ||
        (id === 'stimuli' &&
          canvas.closest('figure').querySelector('figcaption').textContent.includes('Black to white'));
      if (images && filled < 0.15 * (data.length / 4)) wrong.push(`${id} fills ${filled} of ${data.length / 4} pixels`);
      const least = id === 'receptive-field' ? 128 : id === 'stimuli' ? 12 : 20;
      if (colours.size < least) wrong.push(`${id} has ${colours.size} colours, fewer than ${least}`);
      if (!colours.has(named('--background'))) wrong.push(`${id} lacks the background`);
      const lines =
        {
          latency: ['--adaptive'],
          curve: ['--adaptive'],
          parameters: ['--adaptive', '--ink'],
          utility: ['--adaptive', '--observation'],
          'arms-relative-error': ['--adaptive'],
          prediction: ['--adaptive'],
          'mismatch-evidence': ['--adaptive'],
          'mismatch-pit': ['--adaptive', '--baseline'],
        }[id] ?? (id.startsWith('marginal') ? ['--adaptive'] : []);
      if (id.startsWith('learning') && !colours.has(named('--adaptive')) && !colours.has(named('--baseline')))
        wrong.push(`${id} has no line`);
      for (const name of lines) if (!colours.has(named(name))) wrong.push(`${id} lacks the colour ${name}`);
    }
    return wrong.join('; ') || null;
  });

export const drawings_are_described = (page) =>
  page.evaluate(() => {
    const bare = [...document.querySelectorAll('.drawing')].filter(
      (one) =>
        one.getAttribute('role') !== (one.querySelector('button') ? 'group' : 'img') ||
        (one.getAttribute('aria-label') ?? '').length < 20 ||
        /undefined|NaN|null/.test(one.getAttribute('aria-label')),
    );
    return bare.map((one) => `${one.closest('figure').id}: "${one.getAttribute('aria-label')}"`).join('; ') || null;
  });

export const no_broken_words = (page) =>
  page.evaluate(() => {
    const found = /\b(undefined|NaN|null|Infinity|\[object)\b/.exec(document.querySelector('main').innerText);
    return found ? `the text contains "${found[0]}"` : null;
  });

export async function accessible(page) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () =>
    (await window.axe.run(document)).violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(
        ({ id, nodes }) =>
          `${id} (${nodes
            .map((node) => node.target.join(' '))
            .slice(0, 3)
            .join(', ')})`,
      ),
  );
  return violations.join('; ') || null;
}

const plain = (text) => text.replace(/\u202f/g, '').replace(/\u2212/g, '-');

/** The numbers as read by a person against those in the document. */
export async function figures_are_the_documents(page, document) {
  const shown = await page.$$eval('main > .merits > div', (parts) =>
    parts.map((part) => ({
      label: part.querySelector('dt').textContent,
      value: part.querySelector('.value').firstChild?.textContent ?? '',
      unit: part.querySelector('.unit')?.textContent.trim() ?? '',
      interval: part.querySelector('.interval')?.textContent ?? '',
    })),
  );
  const wanted = (document.figures ?? []).filter((one) => one !== null);
  if (shown.length !== wanted.length) return `${shown.length} figures shown, ${wanted.length} in the document`;
  const same = (text, value, digits) => {
    const digits_given = typeof digits === 'number';
    const read = Number(plain(text));
    if (digits_given && digits >= 0)
      return plain(text) === (Number(value.toFixed(digits)) === 0 ? (0).toFixed(digits) : value.toFixed(digits));
    return text !== '' && Math.abs(read - value) <= (digits_given ? 0.5 * 10 ** -digits : 0.005 * Math.abs(value));
  };
  for (const [idx, one] of wanted.entries()) {
    const { label, value, unit, interval } = shown[idx];
    if (label !== one.label) return `label "${label}" for "${one.label}"`;
    if (typeof one.value !== 'number') {
      if (/\d/.test(value)) return `${label}: "${value}" for a value that does not exist`;
      continue;
    }
    if (!same(value, one.value, one.digits)) return `${label}: "${value}" for ${one.value}`;
    if (unit !== (one.unit ?? '')) return `${label}: unit "${unit}" for "${one.unit}"`;
    if (typeof one.low === 'number' && typeof one.high === 'number') {
      const ends = /interval (\S+) to (\S+)$/.exec(plain(interval));
      if (!ends || !same(ends[1], one.low, one.digits) || !same(ends[2], one.high, one.digits))
        return `${label}: "${interval}" for ${one.low} to ${one.high}`;
    } else if (interval) return `${label}: "${interval}" for an interval that does not exist`;
  }
  return null;
}

export async function text_is_the_documents(page, document) {
  const heading = await page.textContent('h1');
  if (heading !== (document.title || 'Untitled experiment')) return `title "${heading}"`;
  const sentence = await page.evaluate(() => globalThis.document.querySelector('.sentence')?.textContent ?? '');
  return sentence === (document.sentence ?? '') ? null : `sentence "${sentence}"`;
}

async function downloaded(page, selector) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

export function parse_csv(text) {
  const rows = [[]];
  let cell = '';
  let quoted = false;
  for (let idx = 0; idx < text.length; ++idx) {
    const sign = text[idx];
    if (quoted) {
      if (sign === '"' && text[idx + 1] === '"') {
        cell += '"';
        ++idx;
      } else if (sign === '"') quoted = false;
      else cell += sign;
    } else if (sign === '"') quoted = true;
    else if (sign === ',') {
      rows.at(-1).push(cell);
      cell = '';
    } else if (sign === '\n') {
      rows.at(-1).push(cell.replace(/\r$/, ''));
      cell = '';
      rows.push([]);
    } else cell += sign;
  }
  return rows.slice(0, -1);
}

async function saved_rows(page, figure) {
  const { name, bytes } = await downloaded(page, `#${figure} .buttons button:nth-child(2)`);
  if (!name.endsWith('.csv')) throw new Error(`the file is named ${name}`);
  return parse_csv(bytes.toString('utf8'));
}
export const csv = async (page, figure) => (await saved_rows(page, figure)).slice(1);
export const csv_heads = async (page, figure) => (await saved_rows(page, figure))[0];

export const cell = (value) => (typeof value === 'number' ? String(value) : '');
export const first_difference = (read, wanted) => {
  if (read.length !== wanted.length) return `${read.length} rows, ${wanted.length} in the document`;
  const idx = read.findIndex((row, place) => row.join('\u0000') !== wanted[place].join('\u0000'));
  return idx < 0 ? null : `row ${idx + 1} is "${read[idx].join(',')}", in the document "${wanted[idx].join(',')}"`;
};

/** The saved numbers of the estimate at the last trial, every digit. */
export async function estimate_csv_is_the_documents(page, { estimate }) {
  const last = [...estimate.snapshots].sort((a, b) => a.trial - b.trial).at(-1);
  if (estimate.kind === 'image') {
    const [rows, columns] = estimate.shape;
    const num_lags = estimate.num_lags ?? 1;
    return first_difference(
      await csv(page, 'receptive-field'),
      Array.from({ length: num_lags * rows * columns }, (_, idx) => [
        cell(last.trial),
        ...(num_lags > 1 ? [cell(Math.floor(idx / (rows * columns)))] : []),
        cell(Math.floor(idx / columns) % rows),
        cell(idx % columns),
        cell(last.mean[idx]),
        cell(last.sd[idx]),
        cell(estimate.truth?.[idx]),
        ...(estimate.field ? [cell(estimate.field[idx])] : []),
      ]),
    );
  }
  if (estimate.kind === 'map') {
    const { x, y, truth } = estimate;
    return first_difference(await csv(page, 'map'), [
      ...y.flatMap((up, row) =>
        x.map((across, column) => {
          const idx = row * x.length + column;
          return ['map', ...[last.trial, across, up, last.mean[idx], last.sd[idx], truth?.[idx]].map(cell)];
        }),
      ),
      ...estimate.observations.map((one) => ['observation', ...[one.trial, one.x, one.y, one.r].map(cell), '', '']),
    ]);
  }
  if (estimate.kind === 'vector') {
    return first_difference(
      await csv(page, 'parameters'),
      estimate.names.map((name, idx) => [
        cell(last.trial),
        name,
        cell(last.mean[idx]),
        cell(last.sd[idx]),
        cell(estimate.truth?.[idx]),
      ]),
    );
  }
  return first_difference(await csv(page, 'curve'), [
    ...estimate.x.map((x, idx) => [
      'estimate',
      cell(last.trial),
      cell(x),
      cell(last.mean[idx]),
      cell(last.low?.[idx]),
      cell(last.high?.[idx]),
    ]),
    ...(estimate.truth ? estimate.x.map((x, idx) => ['truth', '', cell(x), cell(estimate.truth[idx]), '', '']) : []),
    ...(estimate.observations ?? [])
      .filter(({ x, y }) => typeof x === 'number' && typeof y === 'number')
      .sort((a, b) => a.trial - b.trial)
      .map(({ trial, x, y }) => ['observation', cell(trial), cell(x), cell(y), '', '']),
  ]);
}

export async function learning_csv_is_the_documents(page, { curves }) {
  const drawable = ({ trials, mean }) =>
    trials.every((trial, idx) => idx === 0 || trial >= trials[idx - 1]) &&
    mean.some((value) => typeof value === 'number');
  const drawn_curves = curves.filter((curve) => curve.designs.some(drawable));
  for (const [idx, curve] of drawn_curves.entries()) {
    const wrong = first_difference(
      await csv(page, `learning-${idx + 1}`),
      curve.designs
        .filter(drawable)
        .flatMap((design) =>
          design.trials.map((trial, place) => [
            design.name,
            design.role,
            cell(trial),
            cell(design.mean[place]),
            cell(design.low?.[place]),
            cell(design.high?.[place]),
          ]),
        ),
    );
    if (wrong) return `${curve.metric}: ${wrong}`;
  }
  return null;
}

export async function png_is_large(page) {
  const figure = await page.$eval('figure', (one) => one.id);
  const shown = await page.$eval(`#${figure} .drawing`, (drawing) => Math.floor(drawing.clientWidth));
  const { name, bytes } = await downloaded(page, `#${figure} .buttons button:nth-child(1)`);
  if (!name.endsWith('.png') || bytes.readUInt32BE(0) !== 0x89504e47) return `${name} is not a PNG`;
  const width = bytes.readUInt32BE(16);
  return Math.abs(width - 3 * shown) <= 3 ? null : `${width} px wide, the drawing ${shown}`;
}

const pictures = (page) =>
  page.$$eval('figure[data-moves]', (figures) =>
    Object.fromEntries(
      figures.map((figure) => [
        figure.id,
        [figure.querySelector('canvas').toDataURL(), figure.querySelector('.drawing').getAttribute('aria-label')],
      ]),
    ),
  );

/** Keys alone take every picture to trial 0, to the middle and back to the same end. */
export async function keys_move_all_pictures(page) {
  const trial = () =>
    page.$eval('#trial', (input) => [Number(input.value), Number(input.max), input.getAttribute('aria-valuetext')]);
  await page.focus('#trial');
  const [, last] = await trial();
  const at_end = await pictures(page);
  if (Object.keys(at_end).length === 0) return 'no picture moves';
  await page.keyboard.press('ArrowLeft');
  const [before, , spoken] = await trial();
  if (before !== last - 1 || spoken !== `trial ${last - 1} of ${last}`)
    return `one key to the left of ${last} leads to ${before}, spoken "${spoken}"`;
  await page.keyboard.press('Home');
  await drawn(page);
  const at_start = await pictures(page);
  await page.keyboard.press('PageUp');
  await page.keyboard.press('PageUp');
  await drawn(page);
  const [middle] = await trial();
  if (!(middle > 0 && middle < last)) return `PageUp leads to trial ${middle} of ${last}`;
  const on_the_way = await pictures(page);
  await page.keyboard.press('End');
  await drawn(page);
  const back = await pictures(page);
  for (const id of Object.keys(at_end)) {
    if (at_end[id][0] === at_start[id][0]) return `${id} is the same at trial 0 and ${last}`;
    if (at_end[id][0] !== back[id][0]) return `${id} does not come back to the same picture`;
  }
  if (Object.keys(at_end).every((id) => at_start[id][0] === on_the_way[id][0]))
    return `no picture differs between trial 0 and ${middle}`;
  const told = Object.keys(at_end).filter((id) => at_end[id][1] !== at_start[id][1]);
  return told.length > 0 ? null : 'no description follows the trial';
}

export async function copy_gives_the_command(page, { command }) {
  await page.evaluate(() => {
    navigator.clipboard.writeText = async (text) => {
      globalThis.copied = text;
    };
  });
  await page.click('#reproduce .buttons button');
  await drawn(page);
  const [copied, told] = await page.evaluate(() => [
    globalThis.copied,
    document.querySelector('#reproduce [role=status]').textContent,
  ]);
  return copied === command && told === 'Copied' ? null : `copied "${copied}", told "${told}"`;
}

export const follows_the_scheme = (page, scheme) =>
  page.evaluate((wanted) => {
    const bright = getComputedStyle(document.body)
      .backgroundColor.match(/\d+/g)
      .slice(0, 3)
      .every((part) => Number(part) > 127);
    return bright === (wanted === 'light')
      ? null
      : `the background is ${getComputedStyle(document.body).backgroundColor}`;
  }, scheme);

/** PDF of the page with a mark at the top and at the bottom of every figure; the marks that each page of paper holds. */
async function printed(page) {
  await page.evaluate(() => {
    for (const figure of document.querySelectorAll('figure')) {
      figure.style.position = 'relative';
      for (const end of ['top', 'bottom']) {
        const mark = document.createElement('a');
        mark.href = `https://mark.invalid/${figure.id}/${end}`;
        mark.textContent = '.';
        mark.tabIndex = -1;
        Object.assign(mark.style, { position: 'absolute', left: '0', [end]: '0', color: 'transparent', lineHeight: '4px' });
        figure.append(mark);
      }
    }
  });
  const pdf = (await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString('latin1');
  const objects = new Map([...pdf.matchAll(/(\d+) 0 obj\b(.*?)endobj/gs)].map(([, number, body]) => [number, body]));
  const sheets = [...objects.values()].filter((body) => /\/Type\s*\/Page\b(?!s)/.test(body));
  return sheets.map((body) => {
    const list = /\/Annots\s*(?:\[(.*?)\]|(\d+) 0 R)/s.exec(body);
    const references = list?.[1] ?? objects.get(list?.[2]) ?? '';
    const inside = [...references.matchAll(/(\d+) 0 R/g)].map(([, number]) => objects.get(number) ?? '').join(' ') + references;
    return [...inside.matchAll(/https:\/\/mark\.invalid\/([\w-]+)\/(top|bottom)/g)].map(([, figure, end]) => ({ figure, end }));
  });
}

export async function prints_on(page, most) {
  const sheets = await printed(page);
  return sheets.length >= 1 && sheets.length <= most ? null : `${sheets.length} pages`;
}

/** No figure lies across two sheets, and those that have no place on paper are named there. */
export async function prints_whole_figures(page) {
  const hidden = [];
  await page.exposeFunction('tell_hidden', (name) => hidden.push(name));
  await page.evaluate(() =>
    addEventListener('beforeprint', () => {
      const named = document.querySelector('#not-printed')?.textContent ?? '';
      for (const figure of document.querySelectorAll('figure'))
        if (figure.getClientRects().length === 0)
          globalThis.tell_hidden([figure.id, named.includes(figure.querySelector('h3').textContent.toLowerCase())]);
    }),
  );
  const sheets = await printed(page);
  const all = await page.$$eval('figure', (figures) => figures.map((figure) => figure.id));
  for (const id of all) {
    if (hidden.some(([one]) => one === id)) continue;
    const on = (end) => sheets.findIndex((marks) => marks.some((mark) => mark.figure === id && mark.end === end));
    if (on('top') < 0 || on('bottom') < 0) return `${id} is not on paper`;
    if (on('top') !== on('bottom')) return `${id} reaches from sheet ${on('top') + 1} to ${on('bottom') + 1}`;
  }
  const unnamed = hidden.filter(([, named]) => !named);
  return unnamed.length > 0 ? `left out without a word: ${unnamed.map(([id]) => id).join(', ')}` : null;
}
