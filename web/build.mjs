// Writes OUTDIR/page.html: the page with its script and style inlined and a marker where the data goes.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const MARKER = '<!--HARTLINE_DATA-->';
const MAX_BYTES = 1_000_000;
const here = dirname(fileURLToPath(import.meta.url));
const outdir = process.argv[2];
if (!outdir) {
  console.error('usage: node build.mjs OUTDIR');
  process.exit(2);
}

async function bundle(entry) {
  const result = await build({
    entryPoints: [join(here, 'src', entry)],
    bundle: true,
    minify: true,
    write: false,
    charset: 'utf8',
    format: 'iife',
    target: ['es2021', 'chrome109', 'firefox109', 'safari16'],
    legalComments: 'none',
  });
  return result.outputFiles[0].text.trim();
}

const hash = (text) => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
const occurrences = (text, part) => text.split(part).length - 1;

const script = await bundle('page.ts');
const style = await bundle('style.css');
for (const [text, ending] of [
  [script, '</script'],
  [style, '</style'],
]) {
  if (text.toLowerCase().includes(ending) || text.includes('<!--'))
    throw new Error(`the bundle contains ${ending} or <!--`);
}
const policy = `default-src 'none'; script-src ${hash(script)}; style-src ` +
  `${hash(style)}; img-src data:; base-uri 'none'; form-action 'none'`;

// The licence of what is inlined must travel with every copy.
const plot = JSON.parse(readFileSync(join(here, 'node_modules/uplot/package.json'), 'utf8'));
const notice = `This page contains uPlot ${plot.version}.\n\n${readFileSync(join(here, 'node_modules/uplot/LICENSE'), 'utf8').trim()}`;

// Functions as replacements, so that a `$` in the bundle stays a `$`.
const page = readFileSync(join(here, 'src', 'page.html'), 'utf8')
  .replace('{{NOTICE}}', () => notice)
  .replace('{{POLICY}}', () => policy)
  .replace('{{STYLE}}', () => style)
  .replace('{{SCRIPT}}', () => script);

if (occurrences(page, MARKER) !== 1) throw new Error(`the page must contain ${MARKER} exactly once`);
if (Buffer.byteLength(page) > MAX_BYTES)
  throw new Error(`the page must be at most ${MAX_BYTES} bytes (got ${Buffer.byteLength(page)})`);
mkdirSync(outdir, { recursive: true });
writeFileSync(join(outdir, 'page.html'), page);
console.log(`${join(outdir, 'page.html')}: ${Buffer.byteLength(page)} bytes`);
