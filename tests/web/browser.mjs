// Debian's browser, with what it does beside drawing switched off.
import { chromium } from 'playwright-core';

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

/** Opens a file; `heard` collects what a silent page would not say or ask for. */
export async function open(browser, address, { width = 1280, scheme = 'light' } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const heard = [];
  page.on('console', (message) => heard.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => heard.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== address && !/^(data|blob):/.test(request.url())) heard.push(`request: ${request.url()}`);
  });
  await page.goto(address);
  await drawn(page);
  return { page, heard, close: () => context.close() };
}

/** Waits until what was asked for has been drawn, below the fold too. */
export const drawn = (page) =>
  page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await frame();
    do await frame();
    while (document.querySelector('[data-drawing]'));
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
