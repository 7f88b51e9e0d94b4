// The frames that a notebook shows, in a real browser: each draws its picture, says nothing and asks for nothing.
// Usage: node frame_test.mjs FILE.html, made by frames.py
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { drawn, launch, open } from '../web/browser.mjs';

const browser = await launch();
let passed = 0;
let failed = 0;
try {
  const { page, heard } = await open(browser, pathToFileURL(resolve(process.argv[2])).href);
  const frames = page.frames().slice(1);
  for (const frame of frames) {
    // a frame out of sight is not given time to draw
    await (await frame.frameElement()).scrollIntoViewIfNeeded();
    await frame.waitForSelector('canvas', { state: 'attached', timeout: 20000 });
    await drawn(frame);
    const inked = await frame.evaluate(() =>
      [...document.querySelectorAll('canvas')].some((canvas) => {
        if (!canvas.width || !canvas.height) return false;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size > 2;
      }),
    );
    const title = await frame.evaluate(() => document.title);
    console.log(`${inked ? 'ok' : 'FAIL'} ${title}: has a picture`);
    if (inked) passed += 1;
    else failed += 1;
  }
  const others = heard.filter((line) => line !== 'request: about:srcdoc');
  console.log(`${others.length ? 'FAIL' : 'ok'} frames are silent ${others.join('; ')}`);
  if (others.length || !frames.length) failed += 1;
  else passed += 1;
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
