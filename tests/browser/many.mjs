// The page where there is very much: of types, and of events of one type. It speaks as page.mjs
// does, and wants besides:
//
//     {"want": "many", "type": "many/#", "count": 1000}   register the numbers from 0 on, each of
//                                                         the type that has it in place of `#`
//
// How much is in HAT_PAGE_TYPES and HAT_PAGE_EVENTS: few where the test is one of many, 100 000 and
// a million in `ci/long browser`.

import { cost } from './cost.mjs';
import { script } from './script.mjs';

const TYPES = Number(process.env.HAT_PAGE_TYPES ?? 5000);
const EVENTS = Number(process.env.HAT_PAGE_EVENTS ?? 21_000);

/** Events of a type, and of the stream, that the page keeps. */
const KEPT = 20_000;
const STREAMED = 5000;

/** Rows of the table, and of the list of a history, that may be in the document. */
const MOST_ROWS = 200;
const MOST_LISTED = 1000;

/** MiB that the events that the page keeps may take, with what draws them. */
const MOST_MEMORY = 96;

/** Events of one `many`: one program registers them. */
const BATCH = 50_000;

/** Events of the stream that come at once, and are all shown. */
const BURST = 400;

const { url, context, page, say, want, check, until, screenshot, end } = await script({ width: 1280, height: 800 });
const number = (text) => Number(text.replace(/\D/g, ''));
const text = (selector) => page.locator(selector).textContent();
const rows = () => page.locator('.row').count();
const known = page.locator('#history [data-part=state]');

/** MiB of the page once what nobody has any more is gone, and its nodes. */
async function memory() {
  const session = await context.newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  await session.detach();
  const of = (name) => metrics.find((metric) => metric.name === name).value;
  return { heap: Math.round(of('JSHeapUsedSize') / 2 ** 20), nodes: of('Nodes') };
}

/** Whoever uses the page gets what was asked for: another view, a search, a row. */
async function usable(type, payload) {
  await page.locator('button[data-mode=latest]').click();
  await page.locator('#search').fill(`"${type}"`);
  await until('its row', async () => (await page.locator('.row:visible').count()) === 1);
  await until('its payload', async () => (await text('.row:visible .payload')) === payload);
}

await check(`${TYPES} types`, async () => {
  await page.goto(url);
  await page.locator('.connection[data-state=live]').waitFor();
  await want('many', { type: 'many/area/unit #/value', count: TYPES });
  await until('all of them', async () => number(await text('#count')) === TYPES);
  if ((await rows()) > MOST_ROWS) throw new Error(`${await rows()} rows in the document`);
  await page.locator('#grid').focus();
  await page.keyboard.press('End');
  await until('the last', async () => (await page.locator('.row.active:visible .payload').textContent()) === `${TYPES - 1}`);
  await page.locator('button[data-mode=tree]').click();
  await until('their number', async () => (await page.locator('.row.group:visible').count()) > 0 && number((await page.locator('.row.group:visible .payload').allTextContents()).at(-1)) === TYPES);
  await usable(`unit ${TYPES - 1}`, `${TYPES - 1}`);
  await page.locator('#search').fill('');
  await screenshot('many-types');
});

await check('a page that opens then has them all', async () => {
  const start = performance.now();
  await page.goto(url);
  await until('all of them', async () => number(await text('#count')) === TYPES);
  say({ figures: { types: TYPES, 'until all are there, ms': Math.round(performance.now() - start), ...(await memory()) } });
});

await check(`the history of ${EVENTS} events of one type`, async () => {
  const before = await memory();
  for (let sent = 0; sent < EVENTS; sent += BATCH) await want('many', { type: 'one', from: sent, count: Math.min(BATCH, EVENTS - sent) });
  await usable('one', `${EVENTS - 1}`);
  await page.locator('.row:visible').click();
  await page.locator('#details [data-part=history]').click();
  await page.locator('#history [data-part=span]').selectOption('all');
  await until('the newest', async () => (await known.textContent()) === '500 events; the server has older ones in this time');
  const older = page.locator('#history [data-part=older]');
  const start = performance.now();
  // what is asked for anew each second takes the text for a moment, too
  const answered = () => until('an answer', async () => (await known.textContent()) !== 'Asking the server …');
  for (await answered(); await older.isVisible(); await answered()) {
    const was = await known.textContent();
    await older.click();
    await until('more', async () => ![was, 'Asking the server …'].includes(await known.textContent()));
  }
  const took = performance.now() - start;
  await until('events that are here', async () => number((await known.textContent()).split(':')[0]) === Math.min(KEPT, EVENTS));
  if (EVENTS > KEPT) await until('it says that there is room for no more', async () => /for which there is room here/.test(await known.textContent()));
  const listed = await page.locator('#history tbody tr').count();
  if (listed > MOST_LISTED) throw new Error(`${listed} rows in the list`);
  const after = await memory();
  if (after.heap - before.heap > MOST_MEMORY) throw new Error(`${before.heap} MiB before, ${after.heap} MiB with the history`);
  say({ figures: { events: EVENTS, 'to have all that there is room for, ms': Math.round(took), before, after } });
  await screenshot('many-events');
});

await check('it goes on while they come fast, in the history and in the stream', async () => {
  const events = Array.from({ length: 1000 }, (_, n) => ({ type: 'one', payload: { kind: 'json', data: n } }));
  await want('load', { events, rate: 3000, seconds: 12 });
  say({ figures: { 'history under load': await cost(context, page, 3) } });
  await page.locator('#history [data-part=close]').click();
  await page.locator('#search').fill('one');
  await page.locator('button[data-mode=stream]').click();
  say({ figures: { 'stream under load': await cost(context, page, 2) } });
  await until('as many as there is room for, and it says so', async () => {
    // the load may be over before a slow machine has shown so many
    await want('many', { type: 'one', count: BURST });
    return number(await text('#count')) === STREAMED && /^The newest 5.000 events are here: .* older ones made room/.test((await text('#missing')).replace(/^.*search for fewer types\. /, ''));
  });
  if ((await rows()) > MOST_ROWS) throw new Error(`${await rows()} rows in the document`);
  await page.locator('#stream-pause').click();
  await until('it waits', async () => /^Go on/.test(await text('#stream-pause')));
  await screenshot('many-streamed');
  await page.locator('#stream-pause').click();
  await usable(`unit ${TYPES - 1}`, `${TYPES - 1}`);
  const { heap, nodes } = await memory();
  say({ figures: { 'after it, MiB': heap, nodes } });
});

await end();
