// Pictures of the page as it is, for people to look at: wide and narrow, light and dark, and at a
// zoom of 200 %. axe-core looks at each of them.
//
//     node pictures.mjs URL NAME [--chromium PATH] [--screenshots FOLDER]
//
// `pictures` beside it runs a server with 10 types, and with 100 000, and this for each. The exit
// status is 1 where axe-core finds a fault, or the page is wider than the window.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { faults } from './axe.mjs';

const { values: options, positionals: [url, name] } = parseArgs({
  allowPositionals: true,
  options: { chromium: { type: 'string', default: '/usr/bin/chromium' }, screenshots: { type: 'string', default: 'pictures' } },
});

/** Width and height in CSS pixels, and how many of the screen's each is: a zoom of 200 % of 1440 by
 * 900 is half as many that are twice as large. */
const SIZES = [[390, 844, 1], [1024, 768, 1], [1440, 900, 1], [2560, 1440, 1], [720, 450, 2]];

await mkdir(options.screenshots, { recursive: true });
const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
let wrong = 0;
for (const colorScheme of ['light', 'dark']) {
  for (const [width, height, deviceScaleFactor] of SIZES) {
    const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor, colorScheme });
    const page = await context.newPage();
    const picture = async (what) => {
      const file = [name, what, colorScheme, deviceScaleFactor > 1 ? `${width * deviceScaleFactor}-zoomed` : width].join('-');
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      await page.screenshot({ path: join(options.screenshots, `${file}.png`) });
      const found = await faults(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) found.push(`${wide} pixels wide in ${width}`);
      wrong += found.length;
      console.log(`${file}.png${found.map((fault) => `\n  ${fault}`).join('')}`);
    };
    await page.goto(url);
    await page.locator('.connection[data-state=live]').waitFor();
    await page.locator('.row:visible').first().waitFor();
    await picture('latest');
    await page.locator('.row:visible').nth(2).click();
    await page.locator('#details').waitFor();
    await picture('details');
    await page.locator('#details [data-part=history]').click();
    await page.locator('#history tbody tr').first().waitFor();
    await picture('history');
    await page.locator('#history [data-part=close]').click();
    await page.locator('#history').waitFor({ state: 'hidden' });
    // on a narrow page the details cover the button
    await page.locator('#grid').press('r');
    await page.locator('#register[open]').waitFor();
    await picture('register');
    await page.locator('[name=submit]').click();
    await page.locator('[data-part=confirm]:enabled').waitFor();
    await picture('confirm');
    await page.keyboard.press('Escape');
    await page.locator('#details [data-part=close]').click();
    await page.locator('button[data-mode=tree]').click();
    await picture('tree');
    await page.locator('button[data-mode=stream]').click();
    await picture('stream');
    await page.locator('button[data-mode=latest]').click();
    await page.locator('#open-rules').click();
    await page.locator('#rules textarea').fill('alarm */voltage /value > 23.5\nstale */voltage 1s');
    await picture('rules');
    await page.locator('#rules .main').click();
    await page.locator('#alarms:visible').waitFor();
    await picture('alarms');
    await context.close();
  }
}
await browser.close();
process.exit(wrong ? 1 : 0);
