// node page_test.mjs PAGE_HTML [REPORT_HTML…]: the page in a real browser, with documents made here and with reports given.
// ONLY='name;name' … takes these of the documents made here alone.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch, open } from './browser.mjs';
import * as checks from './checks.mjs';
import * as fixtures from './fixtures.mjs';
import * as study_checks from './study_checks.mjs';
import * as study_fixtures from './study_fixtures.mjs';

const MARKER = '<!--HARTLINE_DATA-->';
const WIDTHS = [390, 1280, 1920];
const SCHEMES = ['light', 'dark'];
const PAINT_MS = 1000;
const ONLY = process.env.ONLY?.split(';');
/** Documents whose form others have too. */
const BRIEFLY = new Set(['psychometric', 'designs with parameters', 'first trial', 'hollow parts', 'study with nulls']);
const PRINTED = new Set(['receptive field', 'an alarm and a thousand events', 'study', 'map', 'a thousand cells']);

const [template_path, ...report_paths] = process.argv.slice(2);
if (!template_path) {
  console.error('usage: node page_test.mjs PAGE_HTML [REPORT_HTML…]');
  process.exit(2);
}

const counts = { passed: 0, failed: 0, skipped: 0 };
async function check(name, run) {
  let wrong;
  try {
    wrong = await run();
  } catch (error) {
    wrong = error.message.split('\n')[0];
  }
  ++counts[wrong ? 'failed' : 'passed'];
  console.log(wrong ? `FAIL ${name}: ${wrong}` : `ok   ${name}`);
}
function skip(name, reason) {
  ++counts.skipped;
  console.log(`skip ${name}: ${reason}`);
}

const template = readFileSync(template_path, 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'hartline-page-'));
const browser = await launch();

function written(name, html) {
  const path = join(folder, `${name}.html`);
  writeFileSync(path, html);
  return pathToFileURL(path).href;
}
const with_data = (json) =>
  template.replace(MARKER, () => `<script type="application/json" id="hartline-data">${json}</script>`);
const embedded = (document) => with_data(JSON.stringify(document).replace(/</g, '\\u003c'));

/** Every width in every scheme; `briefly`: every width in one scheme. */
async function look_everywhere(name, address, briefly = false) {
  for (const [idx, width] of WIDTHS.entries()) {
    for (const scheme of briefly ? [SCHEMES[(idx + 1) % SCHEMES.length]] : SCHEMES) {
      const { page, heard, close } = await open(browser, address, { width, scheme });
      const at = `${name}, ${width} px, ${scheme}`;
      await check(`${at}: the page stays within its width`, () => checks.fits_the_width(page));
      await check(`${at}: the background is ${scheme}`, () => checks.follows_the_scheme(page, scheme));
      await check(`${at}: drawings are not blank`, () => checks.drawings_have_colours(page));
      await check(`${at}: no console message, error or request`, () => checks.silent(heard));
      await check(`${at}: axe finds nothing serious`, () => checks.accessible(page));
      await close();
    }
  }
}

async function compare_with_document(name, address, document) {
  const { page, heard, close } = await open(browser, address);
  await check(`${name}: title and sentence are the document's`, () => checks.text_is_the_documents(page, document));
  await check(`${name}: figures are the document's`, () => checks.figures_are_the_documents(page, document));
  await check(`${name}: drawings are described in words`, () => checks.drawings_are_described(page));
  await check(`${name}: no undefined, NaN or null in the text`, () => checks.no_broken_words(page));
  if (document.estimate?.snapshots?.length)
    await check(`${name}: the CSV of the estimate is the document's`, () =>
      checks.estimate_csv_is_the_documents(page, document),
    );
  else skip(`${name}: the CSV of the estimate`, 'the document has no estimate');
  if (document.curves?.length)
    await check(`${name}: the CSV of the learning curves is the document's`, () =>
      checks.learning_csv_is_the_documents(page, document),
    );
  else skip(`${name}: the CSV of the learning curves`, 'the document has none');
  const last = await page.evaluate(() => Number(globalThis.document.querySelector('#trial')?.max ?? 0));
  if (last > 0) {
    if (last < 10) skip(`${name}: keys move all pictures`, 'the document has fewer than ten trials');
    else await check(`${name}: keys move all pictures`, () => checks.keys_move_all_pictures(page));
  } else skip(`${name}: keys move all pictures`, 'the document has no trial');
  if (document.command)
    await check(`${name}: the copy button copies the command`, () => checks.copy_gives_the_command(page, document));
  else skip(`${name}: the copy button`, 'the document has no command');
  if (await page.$('figure'))
    await check(`${name}: the PNG is three times as large as the drawing`, () => checks.png_is_large(page));
  await check(`${name}: still silent after use`, () => checks.silent(heard));
  await close();
}

/** Each part on a page of its own: the browser allows one page ten downloads. */
async function compare_parts(name, address, document) {
  for (const [part, run] of Object.entries(study_checks.OF_PARTS)) {
    const given = part.split('.').reduce((inside, member) => inside?.[member], document);
    if (!given) continue;
    const { page, heard, close } = await open(browser, address);
    await check(`${name}: ${part} is shown as in the document`, () => run(page, document));
    await check(`${name}: ${part} leaves the page silent`, () => checks.silent(heard));
    await close();
  }
}

/** The fastest of a few runs: others may be using the machine. */
async function paint_time(address) {
  let fastest = Infinity;
  for (let run = 0; run < 6 && fastest >= PAINT_MS; ++run) {
    const { page, close } = await open(browser, address);
    const time = await page.evaluate(
      () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity,
    );
    fastest = Math.min(fastest, time);
    await close();
  }
  return fastest;
}

/** What a reader sees first is whole, though the rest is drawn later. */
async function first_sight(address) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(() => {
    new PerformanceObserver((seen) => {
      if (seen.getEntriesByName('first-contentful-paint').length === 0) return;
      const figures = [...document.querySelectorAll('figure')].filter(
        (figure) => figure.querySelector('.drawing').getBoundingClientRect().top < innerHeight,
      );
      globalThis.first_sight = figures.map((figure) => [figure.id, figure.querySelector('canvas') !== null]);
    }).observe({ type: 'paint', buffered: true });
  });
  await page.goto(address);
  await page.waitForFunction(() => globalThis.first_sight);
  const seen = await page.evaluate(() => globalThis.first_sight);
  await context.close();
  const blank = seen.filter(([, is_drawn]) => !is_drawn).map(([id]) => id);
  return seen.length > 0 && blank.length === 0 ? null : `of ${seen.length} figures in view not drawn: ${blank.join(', ')}`;
}

async function message_of(name, html) {
  const { page, heard, close } = await open(browser, written(name, html));
  const shown = await page.evaluate(() => [...document.querySelectorAll('[role=alert]')].map((one) => one.textContent));
  await close();
  return { shown, heard };
}

async function check_template() {
  await check('template: one marker for the data', () =>
    template.split(MARKER).length === 2 ? null : `${template.split(MARKER).length - 1} markers`,
  );
  await check('template: under 1 MB', () =>
    Buffer.byteLength(template) < 1e6 ? null : `${Buffer.byteLength(template)} bytes`,
  );
  await check(
    'template: names nothing to load',
    () =>
      /(?:src|href)\s*=\s*["']?(?!data:,)[^"'\s>]+|@import|url\(/i.exec(
        template.replace(/<script>.*<\/script>/s, ''),
      )?.[0] ?? null,
  );
  await check('template: scripts that it does not know are refused', async () => {
    const { page, heard, close } = await open(
      browser,
      written('foreign', template.replace('</body>', '<script>document.title = "taken over"</script></body>')),
    );
    const title = await page.title();
    await close();
    return title !== 'taken over' && heard.some((one) => /Content Security Policy/.test(one))
      ? null
      : 'a foreign script ran';
  });
  const bad = {
    'no data': template,
    'format 2': embedded({ format: 2 }),
    'no format': embedded({}),
    'broken JSON': with_data('{"format": 1,'),
    'a list': with_data('[]'),
  };
  for (const [name, html] of Object.entries(bad)) {
    await check(`template: one clear message for ${name}`, async () => {
      const { shown, heard } = await message_of(`message-${name.replace(/ /g, '-')}`, html);
      if (heard.length > 0) return heard.join(' | ');
      return shown.length === 1 && shown[0].length > 20 ? null : `messages: ${JSON.stringify(shown)}`;
    });
  }
}

try {
  await check_template();
  const made = {
    'receptive field': fixtures.glm(),
    'tuning curve': fixtures.tuning(),
    psychometric: fixtures.psychometric(),
    vector: fixtures.vector(),
    empty: fixtures.empty(),
    'one trial': fixtures.one_trial(),
    nulls: fixtures.with_nulls(),
    '10,000 trials': fixtures.long(),
    'hostile text': fixtures.hostile(),
    study: study_fixtures.study(),
    'an alarm and a thousand events': study_fixtures.alarmed(),
    map: study_fixtures.map(),
    'designs with parameters': study_fixtures.parameters(),
    'a thousand cells': study_fixtures.thousand_cells(),
    'first trial': study_fixtures.first_trial(),
    'hollow parts': study_fixtures.hollow(),
    'study with nulls': study_fixtures.gaps(),
  };
  for (const [name, document] of Object.entries(made)) {
    if (ONLY && !ONLY.includes(name)) continue;
    const address = written(name.replace(/\W/g, '-'), embedded(document));
    await look_everywhere(name, address, BRIEFLY.has(name));
    await compare_with_document(name, address, document);
    await compare_parts(name, address, document);
    if (name === '10,000 trials' || name === 'a thousand cells' || name === 'an alarm and a thousand events') {
      await check(`${name}: painted within ${PAINT_MS} ms`, async () => {
        const time = await paint_time(address);
        return time < PAINT_MS ? null : `${Math.round(time)} ms`;
      });
      await check(`${name}: what is in view is drawn with the first paint`, () => first_sight(address));
    }
    if (name === 'nulls') {
      const { page, close } = await open(browser, address);
      await check(`${name}: what cannot be drawn is named`, async () => {
        const shown = await page.textContent('#health .message');
        return ['curves[2].designs[0].trials', 'estimate.marginals[0].grid'].every((path) => shown.includes(path))
          ? null
          : shown;
      });
      await close();
    }
    if (name === 'study with nulls') {
      const { page, close } = await open(browser, address);
      await check(`${name}: what cannot be drawn is named`, async () => {
        const shown = await page.textContent('#health .message:not(.verdict)');
        const paths = ['arms[2].trials', 'arms[3].trials', 'validation.stimuli[3].trials', 'the estimate of random'];
        return paths.every((path) => shown.includes(path)) ? null : shown;
      });
      await close();
    }
    if (name === 'map' || name === 'study') {
      const { page, close } = await open(browser, address, { scheme: 'dark' });
      if (name === 'map') await check(`${name}: it is the right way up`, () => study_checks.map_is_upright(page));
      else await check(`${name}: lag 0 comes first`, () => study_checks.lag_0_is_first(page));
      await close();
    }
    if (name === 'an alarm and a thousand events') {
      const { page, close } = await open(browser, address);
      await check(`${name}: prints on three pages`, () => checks.prints_on(page, 3));
      await close();
    }
    if (PRINTED.has(name)) {
      const { page, close } = await open(browser, address, { scheme: 'dark' });
      await check(`${name}: no figure is cut by the end of a sheet`, () => checks.prints_whole_figures(page));
      await close();
    }
    if (name === 'receptive field' || name === 'tuning curve') {
      const { page, close } = await open(browser, address, { scheme: 'dark' });
      await check(`${name}: prints on two pages`, () => checks.prints_on(page, 2));
      await close();
    }
  }
  for (const path of report_paths) {
    const address = pathToFileURL(resolve(path)).href;
    const json = /<script type="application\/json" id="hartline-data">(.*?)<\/script>/s.exec(
      readFileSync(path, 'utf8'),
    )?.[1];
    const name = basename(path);
    await check(`${name}: holds a document`, () => (json ? null : 'no data element'));
    if (!json) continue;
    await look_everywhere(name, address);
    await compare_with_document(name, address, JSON.parse(json));
    await compare_parts(name, address, JSON.parse(json));
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}

console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
