// What a script here is made of: a page, checks, and the one who started it, as the head of
// page.mjs says.

import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

/** Milliseconds until what must come is missing: an end for a test that fails, and no measure. */
const PATIENCE = Number(process.env.HAT_PAGE_PATIENCE ?? 30_000);

/** Starts Chromium with an empty page of this size. */
export async function script(viewport) {
  const { values: options, positionals: [url] } = parseArgs({
    allowPositionals: true,
    options: { chromium: { type: 'string', default: '/usr/bin/chromium' }, screenshots: { type: 'string', default: 'screenshots' } },
  });
  const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

  async function want(what, more = {}) {
    say({ want: what, ...more });
    return (await answers.next()).value.trim();
  }

  const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  context.setDefaultTimeout(PATIENCE);
  const broken = [];
  page.on('pageerror', (error) => broken.push(String(error.stack)));

  let done = 0;
  async function check(what, body) {
    try {
      await body();
      if (broken.length) throw new Error(broken.join('; '));
    } catch (error) {
      await page.screenshot({ path: join(options.screenshots, 'failed.png'), timeout: 5000 }).catch(() => {});
      say({ failed: what, error: String(error?.stack ?? error) });
      await browser.close();
      process.exit(1);
    }
    done++;
    say({ check: what });
  }

  async function until(what, ask) {
    const end = Date.now() + PATIENCE;
    while (Date.now() < end) {
      if (await ask()) return;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    throw new Error(`it did not come: ${what}`);
  }

  function equal(actual, expected, what) {
    if (actual !== expected) throw new Error(`${what}: expected ${JSON.stringify(expected)}, but it is ${JSON.stringify(actual)}`);
  }

  /** All checks are done. */
  async function end() {
    await browser.close();
    say({ done });
    process.exit(0);
  }

  const screenshot = (name) => page.screenshot({ path: join(options.screenshots, `${name}.png`) });
  return { url, context, page, say, want, check, until, equal, screenshot, end };
}
