// The page of `hat serve --web`, in the system's Chromium.
//
//     node page.mjs URL [--chromium PATH] [--screenshots FOLDER] [--types 10000]
//
// Whoever starts it has the server, and does what this script asks for. A line of standard output
// is one of
//
//     {"want": "register", "events": [...]}   register these, then answer
//     {"want": "load", "events": [...], "rate": 1000, "seconds": 5}
//                                             start to register these again and again, then answer
//     {"want": "freeze"}                      stop the server's process, as by SIGSTOP, and answer
//     {"want": "thaw"}                        let it go on, and answer
//     {"want": "stop"}                        end the server, then answer
//     {"want": "start"}                       start it again at the same URL, then answer
//     {"check": "what was checked"}           it is as it should be
//     {"figures": {...}}                      measured, not judged
//     {"failed": "what was checked", "error": "..."}    and exit status 1
//     {"done": checks}                        and exit status 0
//
// and an answer is one line of standard input: `skip` where a `load` or a `freeze` is not to be
// had, anything else where it is done.

import { mkdir } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { contrasts } from './contrast.mjs';
import { faults } from './axe.mjs';
import { cost } from './cost.mjs';
import { investigate } from './investigate.mjs';
import { lasting } from './lasting.mjs';
import { pointing } from './pointing.mjs';

const { values: options, positionals: [url] } = parseArgs({
  allowPositionals: true,
  options: {
    chromium: { type: 'string', default: '/usr/bin/chromium' },
    screenshots: { type: 'string', default: 'screenshots' },
    types: { type: 'string', default: '10000' },
  },
});
const TYPES = Number(options.types);

/** Rows that may be in the document, however many types there are. */
const MOST_ROWS = 200;

/** Milliseconds until what must come is missing: an end for a test that fails, and no measure. */
const PATIENCE = Number(process.env.HAT_PAGE_PATIENCE ?? 30_000);

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function want(what, more = {}) {
  say({ want: what, ...more });
  const { value, done } = await answers.next();
  if (done) throw new Error(`standard input ended where \`${what}\` was to be answered`);
  return value.trim();
}

const json = (type, data) => ({ type, payload: { kind: 'json', data } });
const register = (...events) => want('register', { events });

await mkdir(options.screenshots, { recursive: true });
const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] }).catch((error) => {
  const advice = `cannot start ${options.chromium}: install the package \`chromium\`, or name another with --chromium`;
  say({ failed: 'Chromium starts', error: `${advice}: ${error.message}` });
  process.exit(1);
});
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
await context.grantPermissions(['clipboard-read', 'clipboard-write']);
const page = await context.newPage();
context.setDefaultTimeout(PATIENCE);

/** What the browser complained about: also what the Content-Security-Policy stopped. */
const complaints = [];
/** All that the console said and what became of sockets and requests, newest last, with the seconds
 * since the start: for who reads of a failure. */
const log = [];
const noted = (text) => void (log.push(`${(performance.now() / 1000).toFixed(1)} s  ${text}`) > 40 && log.shift());
let serverIsDown = false;
page.on('console', (message) => {
  const lost = serverIsDown && /WebSocket|ERR_CONNECTION/.test(message.text());
  if (['error', 'warning'].includes(message.type()) && !lost) complaints.push(message.text());
  noted(`console ${message.type()}: ${message.text()}`);
});
page.on('pageerror', (error) => {
  complaints.push(String(error.stack));
  noted(`error: ${error}`);
});
page.on('crash', () => noted('the page crashed'));
page.on('requestfailed', (request) => noted(`request failed: ${request.url()}: ${request.failure()?.errorText}`));
page.on('load', () => noted('the page is loaded'));
/** Whether the newest WebSocket has had its first message: each is told once. */
page.on('websocket', (socket) => {
  noted('WebSocket: opened by the page');
  socket.once('framereceived', ({ payload }) => noted(`WebSocket: the first message, ${payload.length} characters`));
  socket.on('close', () => noted('WebSocket: closed'));
  socket.on('socketerror', (error) => noted(`WebSocket: ${error}`));
});

/** What can be said of the page when a check fails: its connection, what it shows, and what came
 * before. A page that says nothing itself is not waited for. */
async function circumstances() {
  const told = page.evaluate(() => {
    const text = (selector) => document.querySelector(selector)?.textContent.trim();
    const connection = document.querySelector('.connection');
    return {
      connection: `${connection?.dataset.state}: ${text('[data-view=connectionText]')} ${text('[data-view=connectionWait]')} ${connection?.title}`,
      status: text('[data-view=statusText]'),
      count: text('#count'),
      missing: text('#missing'),
      empty: text('#empty'),
      focus: document.activeElement?.id || document.activeElement?.tagName,
      hidden: document.hidden,
      address: location.href,
    };
  }).catch((error) => `it cannot be asked: ${error.message}`);
  const nothing = new Promise((resolve) => setTimeout(resolve, 5000, 'it does not answer'));
  return `the page: ${JSON.stringify(await Promise.race([told, nothing]), null, 1)}\n  ${log.join('\n  ')}`;
}

let done = 0;
async function check(what, body) {
  try {
    await body();
    if (complaints.length) throw new Error(`the browser complained: ${complaints.join('; ')}`);
  } catch (error) {
    const about = await circumstances();
    await page.screenshot({ path: join(options.screenshots, 'failed.png'), timeout: 5000 }).catch(() => {});
    say({ failed: what, error: `${error?.stack ?? error}\n${about}` });
    await browser.close();
    process.exit(1);
  }
  done++;
  say({ check: what });
}

function equal(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: expected ${JSON.stringify(expected)}, but it is ${JSON.stringify(actual)}`);
}

/** Asks again and again until it is so. Not by `waitForFunction`: the page's policy allows no
 * `eval`. */
async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  let answer;
  while (Date.now() < end) {
    answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new Error(`it did not come: ${what}`);
}

const grid = page.locator('#grid');
const details = page.locator('#details');
const search = page.locator('#search');
const row = (type) => page.locator('.row:visible').filter({ has: page.locator('.type, .whole', { hasText: new RegExp(`^${type.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) }) });
/** Clicks what `locator` finds, until `picked` says that it came to pass. Rows are slots that are
 * filled anew when what is shown changes: one that is hidden, or another row, by the time of the
 * click is not waited for, but looked for again. */
const pick = (locator, picked) => until(`a click on ${locator}`, async () => {
  if (await picked()) return true;
  await locator.click({ timeout: 3000 }).catch((error) => noted(`a click on ${locator}: ${error.message.split('\n')[0]}`));
  for (let tries = 0; tries < 100; tries++) {
    if (await picked()) return true;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return false;
});
/** Opens the details of a type by a click on its row. */
const open = (type) => pick(row(type), async () => (await details.isVisible()) && (await details.locator('[data-part=type]').textContent()) === type);
const payloadIs = (type, text) => until(`${type} = ${text}`, async () => (await row(type).count()) === 1 && (await row(type).locator('.payload').textContent()) === text);
const activeType = () => page.evaluate(() => {
  const id = document.querySelector('#grid').getAttribute('aria-activedescendant');
  const cell = id && document.getElementById(id).querySelector('.type');
  return cell && (cell.querySelector('.whole').textContent || cell.textContent);
});
const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.part || document.activeElement.name || document.activeElement.tagName);
async function readable() {
  const low = (await page.evaluate(contrasts)).filter(({ ratio }) => ratio < 4.5);
  if (low.length) throw new Error(`low contrast: ${JSON.stringify(low)}`);
}
const find = (text) => search.fill(text);
const confirm = page.locator('[data-part=confirm]');
const alert = page.locator('#register [role=alert]');
/** From the written form to what is asked before it is sent. */
async function review() {
  await page.locator('[name=submit]').click();
  await confirm.waitFor();
  await until('what is there now', async () => !/^Asking/.test(await page.locator('[data-part=confirmOld]').textContent()));
}

let policy;
await check('the page opens and is live', async () => {
  const answer = await page.goto(url);
  policy = answer.headers()['content-security-policy'] ?? '';
  await page.locator('.connection[data-state=live]').waitFor();
  await until('a status', async () => (await page.locator('[data-view=statusText]').textContent()) === 'operational');
  await until('the name', async () => (await page.locator('h1').textContent()).startsWith('hat'));
});

await check('the server sends a strict Content-Security-Policy', async () => {
  const directives = new Set(policy.split(';').map((directive) => directive.trim()));
  for (const wanted of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"]) {
    if (!directives.has(wanted)) throw new Error(`no \`${wanted}\` in: ${policy}`);
  }
});

await check('an event that another process registers appears', async () => {
  await find('browser/');
  await register(json('browser/outside', { x: 1 }));
  await until('the row', () => row('browser/outside').count());
});

await check('the next event of the type is seen in the same row', async () => {
  const element = await row('browser/outside').elementHandle();
  await register(json('browser/outside', 'second'));
  await until('the second', async () => (await element.$eval('.payload', (cell) => cell.textContent)) === '"second"');
});

await check('the form registers an event, which is seen', async () => {
  await grid.focus();
  await page.keyboard.press('r');
  await page.locator('#register[open]').waitFor();
  equal(await focused(), 'type', 'the focus');
  await page.keyboard.type('browser/form');
  await page.locator('[name=json]').fill('{"big": 12345678901234567890, "exact": 1.50}');
  await page.screenshot({ path: join(options.screenshots, 'form-light.png') });
  await page.keyboard.press('Control+Enter');
  equal(await focused(), 'confirmHeading', 'the focus');
  equal(await page.locator('[data-part=confirmType]').textContent(), 'browser/form', 'the type to confirm');
  await until('what is there', async () => (await page.locator('[data-part=confirmOld]').textContent()) === 'There is no event of this type yet.');
  equal(await page.locator('[data-part=confirmNew]').textContent(), '{"big": 12345678901234567890, "exact": 1.50}', 'what is sent');
  await page.screenshot({ path: join(options.screenshots, 'confirm-light.png') });
  await readable();
  await page.keyboard.press('Control+Enter');
  await page.locator('#register').waitFor({ state: 'hidden' });
  await payloadIs('browser/form', '{"big": 12345678901234567890, "exact": 1.50}');
  await until('the table is at it', async () => (await activeType()) === 'browser/form' && (await focused()) === 'grid');
  equal(await page.locator('.toast.shown').count(), 1, 'said so');
});

await check('the form says what is wrong, and registers nothing', async () => {
  await page.locator('#open-register').click();
  await page.locator('[name=type]').fill('browser/wrong');
  await page.locator('[name=json]').fill('{"x": }');
  await page.locator('[name=submit]').click();
  await until('the error', async () => /not JSON/.test(await page.locator('#register [role=alert]').textContent()));
  equal(await focused(), 'json', 'the focus');
  await page.locator('[name=type]').fill('browser/*');
  await page.locator('[name=submit]').click();
  await until('the error', async () => /subscriptions/.test(await page.locator('#register [role=alert]').textContent()));
  await page.keyboard.press('Escape');
  await page.locator('#register').waitFor({ state: 'hidden' });
  equal(await row('browser/wrong').count(), 0, 'rows');
});

await check('the form registers binary data', async () => {
  await page.locator('#open-register').click();
  await page.locator('[name=type]').fill('browser/binary');
  await page.locator('[name=kind][value=binary]').check();
  await page.locator('[name=dataType]').fill('Test.Data');
  await page.locator('[name=hex]').fill('00 ff 41');
  await review();
  await confirm.click();
  await payloadIs('browser/binary', 'Test.Data · 3 B · 00 ff 41');
});

await check('the form starts with the chosen row, and plain Enter never sends', async () => {
  await find('browser/form');
  await open('browser/form');
  await grid.focus();
  await page.keyboard.press('r');
  await page.locator('#register[open]').waitFor();
  equal(await page.locator('[name=type]').inputValue(), 'browser/form', 'the type');
  equal(JSON.stringify((await page.locator('[name=json]').inputValue()).replace(/\s/g, '')), JSON.stringify('{"big":12345678901234567890,"exact":1.50}'), 'the payload');
  for (let i = 0; i < 4; i++) await page.keyboard.press('Enter');
  equal(await confirm.isVisible(), true, 'it asks');
  await confirm.focus();
  await page.keyboard.press('Enter');
  equal(await page.locator('#register[open]').count(), 1, 'still open');
  await page.keyboard.press('Escape');
  // what was written for one type is not there for another, nor without one
  await find('browser/outside');
  await open('browser/outside');
  await grid.focus();
  await page.keyboard.press('r');
  await until('its own payload', async () => (await page.locator('[name=json]').inputValue()) === '"second"');
  await page.keyboard.press('Escape');
  await find('browser/');
});

await check('what has changed meanwhile is to be looked at again', async () => {
  await register(json('browser/breaker', 'closed'));
  await find('browser/breaker');
  await open('browser/breaker');
  await page.locator('#open-register').click();
  await page.locator('[name=json]').fill('"open"');
  await review();
  await register(json('browser/breaker', 'locked'));
  await payloadIs('browser/breaker', '"locked"');
  await confirm.click();
  await until('it says so', async () => /a newer event of this type/.test(await alert.textContent()));
  await until('what is there', async () => (await page.locator('[data-part=confirmOld]').textContent()) === '"locked"');
  await confirm.click();
  await payloadIs('browser/breaker', '"open"');
  await until('who did it', async () => (await find('page/anonymous'), (await page.locator('.row:visible').count()) === 1));
  await find('browser/');
});

await check('now as the source time is the moment of sending, however long somebody looks', async () => {
  await page.locator('#open-register').click();
  await page.locator('[name=type]').fill('browser/moment');
  await page.locator('[name=kind][value=none]').check();
  await page.locator('[name=now]').check();
  await review();
  equal(await page.locator('[data-part=confirmSource]').textContent(), 'The moment in which you press Register.', 'the source time to confirm');
  await page.waitForTimeout(4000);
  const pressed = Date.now();
  await confirm.click();
  await page.locator('#register').waitFor({ state: 'hidden' });
  await find('browser/moment');
  await open('browser/moment');
  const source = Date.parse((await details.locator('[data-part=source]').textContent()).split('\n')[1]);
  // the page knows the server's clock to a second or two
  if (!(source > pressed - 3000)) throw new Error(`sent at ${new Date(pressed).toISOString()}, with the source time ${new Date(source).toISOString()}`);
  await page.keyboard.press('Escape');
  await find('browser/');
});

await check('of two operators who act at once, one is asked again', async () => {
  const other = await context.newPage();
  await other.goto(url);
  await other.locator('.connection[data-state=live]').waitFor();
  const both = [page, other];
  await register(json('browser/switch', 'off'));
  await payloadIs('browser/switch', '"off"');
  for (const [n, one] of both.entries()) {
    await one.locator('#open-register').click();
    await one.locator('[name=type]').fill('browser/switch');
    await one.locator('[name=json]').fill(`"by ${n}"`);
    await one.locator('[name=submit]').click();
    await until('what is there', async () => (await one.locator('[data-part=confirmOld]').textContent()) === '"off"');
  }
  // at once, so that neither page can know of the other
  await Promise.all(both.map((one) => one.locator('[data-part=confirm]').click()));
  const open = (one) => one.locator('#register[open]').count();
  await until('one is done', async () => (await open(page)) + (await open(other)) === 1);
  const asked = (await open(page)) ? page : other;
  await until('the other is asked again', async () => /a newer event of this type/.test(await asked.locator('#register [role=alert]').textContent()));
  const winner = asked === page ? 1 : 0;
  await until('what was registered', async () => (await asked.locator('[data-part=confirmOld]').textContent()) === `"by ${winner}"`);
  await asked.locator('[data-part=cancel], [data-part=back]').locator('visible=true').first().click();
  await asked.keyboard.press('Escape');
  await other.close();
  await payloadIs('browser/switch', `"by ${winner}"`);
});

await check('the clock of this machine may be wrong by an hour', async () => {
  for (const hours of [1, -1]) {
    const other = await context.newPage();
    await other.addInitScript((shift) => {
      const Real = Date;
      globalThis.Date = class extends Real {
        constructor(...args) {
          super(...(args.length ? args : [Real.now() + shift]));
        }

        static now() {
          return Real.now() + shift;
        }
      };
    }, hours * 3_600_000);
    await other.goto(url);
    await other.locator('.connection[data-state=live]').waitFor();
    await other.locator('#search').fill('browser/clock');
    await register(json('browser/clock', hours));
    await until('its payload', async () => (await other.locator('.row:visible .payload').textContent()) === `${hours}`);
    const age = await other.locator('.row:visible .age').textContent();
    if (!/^(now|\d+ s)$/.test(age)) throw new Error(`an age of ${age}`);
    // the deadline is the server's time, and so is the source time
    await other.locator('#open-register').click();
    await other.locator('[name=type]').fill('browser/clock');
    await other.locator('[name=kind][value=none]').check();
    await other.locator('[name=now]').check();
    await other.locator('[name=submit]').click();
    await other.locator('[data-part=confirm]').click();
    await other.locator('#register').waitFor({ state: 'hidden' });
    await until('it', async () => (await other.locator('.row:visible .payload').textContent()) === '–');
    await other.locator('.row:visible').click();
    const times = await other.locator('#details').evaluate((details) => ['timestamp', 'source'].map((part) => details.querySelector(`[data-part=${part}]`).textContent.split('\n')[1]));
    const [time, source] = times.map((text) => Date.parse(text));
    if (!(Math.abs(time - source) < 60_000)) throw new Error(`registered ${times[0]}, with the source time ${times[1]}`);
    await other.close();
  }
});

await check('what is confirmed is whole, and shows what nobody sees', async () => {
  const long = { items: Array.from({ length: 300 }, (_, n) => `item ${n}`), end: 'the \u202e end' };
  await register(json('browser/whole', long));
  await page.locator('#open-register').click();
  await page.locator('[name=type]').fill('browser/whole');
  await page.locator('[name=json]').fill('"a\u200bb"');
  await review();
  const old = await page.locator('[data-part=confirmOld]').textContent();
  if (!old.includes('"item 299"') || !old.includes('the \\u202e end') && !old.includes('the ‹U+202E› end')) throw new Error(`not whole: ${old.slice(-80)}`);
  equal(await page.locator('[data-part=confirmNew]').textContent(), '"a‹U+200B›b"', 'what is sent');
  await page.keyboard.press('Escape');
});

await check('a payload of a megabyte is shown, loaded and registered', async () => {
  await find('browser/megabyte');
  const text = 'x'.repeat(1_000_000);
  await register(json('browser/megabyte', text));
  await open('browser/megabyte');
  await until('its size', async () => /^JSON · 977 KiB$/.test(await details.locator('[data-part=kind]').textContent()));
  await details.locator('[data-part=whole]').click();
  await until('all of what is shown', async () => (await details.locator('pre').textContent()).length > 200_000);
  await grid.focus();
  await page.keyboard.press('r');
  await until('all of it to change', async () => (await page.locator('[name=json]').inputValue()).length === 1_000_002);
  await page.locator('[name=json]').fill(`"y${text}"`);
  await review();
  await until('it can be sent', () => confirm.isEnabled());
  await confirm.click();
  await page.locator('#register').waitFor({ state: 'hidden' });
  await until('the new one', async () => (await row('browser/megabyte').locator('.payload').textContent()).startsWith('"yxx'));
  await page.keyboard.press('Escape');
  await find('browser/');
});

await check('types that differ look different', async () => {
  const hidden = ['browser/a\u202eb', 'browser/a\u200bb', 'browser/a\nb'];
  await register(...hidden.map((type) => json(type, 1)));
  for (const shown of ['browser/a‹U+202E›b', 'browser/a‹U+200B›b', 'browser/a‹U+000A›b']) {
    await until(shown, () => row(shown).count());
  }
});

await check('an event cannot bring markup into the page', async () => {
  const markup = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
  await register(json(`browser/${markup.replaceAll('/', '|')}`, markup), json('browser/__proto__', 1), json('constructor', 1));
  await open(`browser/${markup.replaceAll('/', '|')}`);
  await until('the text', async () => (await details.locator('pre').textContent()) === JSON.stringify(markup));
  equal(await page.locator('.row img, .details img, .row script').count(), 0, 'elements made by an event');
  await payloadIs('browser/__proto__', '1');
  await find('constructor');
  await payloadIs('constructor', '1');
  await grid.press('Escape');
  await details.waitFor({ state: 'hidden' });
});

await check('the chart tells the rate of a second', async () => {
  const { x, y, width, height } = await page.locator('[data-view=chart]').boundingBox();
  await page.mouse.move(x + width - 1, y + height / 2);
  await until('the rate', async () => /^[0-9:]{8} .*[0-9] \/s$/.test(await page.locator('[data-view=chartReadout]').textContent()));
  await page.mouse.move(0, 0);
  await until('nothing', async () => (await page.locator('[data-view=chartReadout]').textContent()) === '');
});

await check(`there are ${TYPES} types, and few rows in the document`, async () => {
  const events = Array.from({ length: TYPES }, (_, i) => json(`load/area ${i % 40}/unit ${i}/value`, i));
  await register(...events);
  await find('load/*');
  await until('all of them', async () => (await page.locator('#count').textContent()).replace(/\D/g, '').startsWith(`${TYPES}`));
  const rows = await page.locator('.row').count();
  if (rows >= MOST_ROWS) throw new Error(`${rows} rows in the document`);
  await grid.focus();
  await page.keyboard.press('End');
  await until('the last', async () => (await activeType()) === `load/area 39/unit ${TYPES - 1}/value`);
  equal(await page.locator('.row').count(), rows, 'rows after a long way');
  await page.keyboard.press('Home');
  await until('the first', async () => (await activeType()) === 'load/area 0/unit 0/value');
});

await check('what the page is told travels compressed', async () => {
  // a line between browser and server, on which bytes are counted
  let arrived = 0;
  const { hostname, port } = new URL(url);
  const line = createServer((near) => {
    const far = connect(Number(port), hostname);
    far.on('data', (bytes) => (arrived += bytes.length));
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on('error', () => (near.destroy(), far.destroy()));
  }).listen(0, '127.0.0.1');
  await once(line, 'listening');
  const other = await context.newPage();
  const session = await context.newCDPSession(other);
  await session.send('Network.enable');
  let extensions;
  session.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
    extensions = Object.entries(response.headers).find(([name]) => name.toLowerCase() === 'sec-websocket-extensions')?.[1] ?? '';
  });
  let told = 0;
  other.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => (told += payload.length)));
  await other.goto(`http://127.0.0.1:${line.address().port}/`);
  const files = arrived;
  await until('all types', async () => Number((await other.locator('#count').textContent()).replace(/\D/g, '')) >= TYPES);
  if (!/^permessage-deflate/.test(extensions)) throw new Error(`the extensions are: ${extensions}`);
  const state = arrived - files;
  if (TYPES >= 1000 && state * 4 > told) throw new Error(`${state} bytes came for ${told} characters`);
  say({ figures: { types: TYPES, 'files, bytes on the wire': files, 'state, characters': told, 'state, bytes on the wire': state } });
  await other.close();
  line.close();
});

await check('search finds by words and by query type', async () => {
  await page.keyboard.press('/');
  equal(await focused(), 'search', 'the focus');
  await page.keyboard.type(`AREA ${TYPES - 1}/ vAlue`);
  await until('one row', async () => (await page.locator('.row:visible').count()) === 1);
  await payloadIs(`load/area 39/unit ${TYPES - 1}/value`, `${TYPES - 1}`);
  await find('load/?/unit 48/*');
  await payloadIs('load/area 8/unit 48/value', '48');
  await find('nothing has this name');
  await page.locator('#empty:visible').waitFor();
  await search.press('Escape');
  equal(await search.inputValue(), '', 'the search');
});

await check('the keyboard walks, opens and closes', async () => {
  await find('load/*');
  await search.press('ArrowDown');
  equal(await focused(), 'grid', 'the focus');
  await page.keyboard.press('Home');
  for (const unit of [40, 80, 120]) {
    await page.keyboard.press('ArrowDown');
    await until(`unit ${unit}`, async () => (await activeType()) === `load/area 0/unit ${unit}/value`);
  }
  await page.keyboard.press('Enter');
  await until('the details', async () => (await details.locator('[data-part=type]').textContent()) === 'load/area 0/unit 120/value');
  equal(await focused(), 'grid', 'the focus');
  await page.keyboard.press('ArrowUp');
  await until('the details follow', async () => (await details.locator('pre').textContent()) === '80');
  await page.keyboard.press('Enter');
  equal(await focused(), 'details-heading', 'the focus');
  await page.keyboard.press('Tab');
  equal(await focused(), 'copyType', 'the focus');
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'hidden' });
  equal(await focused(), 'grid', 'the focus');
  await page.keyboard.press('Shift+Tab');
  equal(await focused(), 'open-register', 'the focus');
  await until('the search, back over the views', async () => (await page.keyboard.press('Shift+Tab'), (await focused()) === 'search'));
});

await check('a long payload is elided in its row, and whole in the details', async () => {
  const long = { items: Array.from({ length: 2000 }, (_, n) => ({ n, text: 'čć' })), end: 'the end' };
  await find('browser/long');
  await register(json('browser/long', long));
  await open('browser/long');
  const text = await row('browser/long').locator('.payload').textContent();
  if (text.length > 500 || !text.endsWith('…')) throw new Error(`not elided: ${text.length} characters`);
  if (await details.locator('[data-part=whole]').isVisible()) await details.locator('[data-part=whole]').click();
  await until('the end', async () => (await details.locator('pre').textContent()).includes('"the end"'));
  await details.locator('[data-part=copyPayload]').click();
  const copied = await until('the clipboard', () => page.evaluate(() => navigator.clipboard.readText()));
  equal(JSON.stringify(JSON.parse(copied)), JSON.stringify(long), 'what was copied');
});

await check('binary data are shown in hex with their size', async () => {
  await find('browser/binary');
  await register({ type: 'browser/binary', payload: { kind: 'binary', type: 'Bytes', data: Buffer.from('\0\x01Hello', 'latin1').toString('base64') } });
  await payloadIs('browser/binary', 'Bytes · 7 B · 00 01 48 65 6c 6c 6f');
  await open('browser/binary');
  await until('the dump', async () => /^000000 {2}00 01 48 65 6c 6c 6f +··Hello$/.test(await details.locator('pre').textContent()));
  await page.keyboard.press('Escape');
});

await check('on a narrow page the details cover the rest', async () => {
  await page.setViewportSize({ width: 420, height: 860 });
  await open('browser/binary');
  await until('the focus', async () => (await focused()) === 'details-heading');
  await page.keyboard.press('Shift+Tab');
  equal(await page.evaluate(() => Boolean(document.activeElement.closest('.bar, .overview, .events'))), false, 'the focus in what is covered');
  await details.locator('[data-part=close]').click();
  await details.waitFor({ state: 'hidden' });
  equal(await focused(), 'grid', 'the focus');
  await page.setViewportSize({ width: 1280, height: 800 });
});

for (const scheme of ['light', 'dark']) {
  await check(`${scheme}: readable, and as wide as the page`, async () => {
    await page.emulateMedia({ colorScheme: scheme });
    await find('');
    for (const [width, height] of [[390, 844], [1024, 768], [1280, 800], [1440, 900], [2560, 1440], [3840, 2160]]) {
      await page.setViewportSize({ width, height });
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) throw new Error(`${wide} pixels wide at ${width}`);
      const rows = await page.locator('.row').count();
      if (rows >= MOST_ROWS) throw new Error(`${rows} rows in the document`);
      await page.screenshot({ path: join(options.screenshots, `${scheme}-${width}.png`) });
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await find('browser/');
    await until('no row but these', async () => (await page.locator('.row:visible').count()) === Number((await page.locator('#count').textContent()).split(' ')[0]));
    await open('browser/form');
    await until('the details', async () => /1\.50/.test(await details.locator('pre').textContent()));
    await readable();
    const found = await faults(page);
    if (found.length) throw new Error(found.join('; '));
    await page.screenshot({ path: join(options.screenshots, `${scheme}-details.png`) });
    await page.keyboard.press('Escape');
  });
}

const screenshot = (name) => page.screenshot({ path: join(options.screenshots, `${name}.png`) });
await investigate({ page, context, url, check, equal, until, find, row, pick, open, register, json, screenshot, want });
await pointing({ page, context, url, check, equal, until, find, row, open, register, json, want });
await lasting({ page, context, url, check, equal, until, find, open, register, json, want });

await check('it keeps up with changes', async () => {
  await page.emulateMedia({ colorScheme: 'light' });
  await find('load/*');
  const rows = await page.locator('.row').count();
  const idle = await cost(context, page, 5);
  const events = Array.from({ length: TYPES }, (_, i) => json(`load/area ${i % 40}/unit ${i}/value`, i + 0.5));
  if ((await want('load', { events, rate: 1000, seconds: 8 })) === 'skip') return;
  say({ figures: { types: TYPES, rows, idle, 'under load': await cost(context, page, 5) } });
});

await check('a server that says nothing more is told from one that is live', async () => {
  if ((await want('freeze')) === 'skip') return;
  await find('browser/');
  await page.locator('#open-register').click();
  await page.locator('[name=type]').fill('browser/frozen');
  await page.locator('[name=kind][value=none]').check();
  await review();
  // sent before anybody knows that the server is silent, and given up
  if (await confirm.isEnabled()) {
    await confirm.click();
    await until('it is not confirmed', async () => /Not confirmed/.test((await alert.textContent()) + (await page.locator('.toast').textContent())));
  }
  await page.locator('.connection[data-state=silent]').waitFor();
  equal(await page.locator('html[data-stale=true]').count(), 1, 'greyed');
  await until('nothing can be sent', () => confirm.isDisabled());
  equal(await page.locator('[data-part=hindrance]').textContent(), 'The server is silent: nothing can be sent.', 'why');
  await page.keyboard.press('Escape');
  await want('thaw');
  await page.locator('.connection[data-state=live]').waitFor();
  await register(json('browser/thawed', 1));
  await payloadIs('browser/thawed', '1');
  equal(await row('browser/frozen').count(), 0, 'rows of what was given up');
});

await check('the page comes back after a restart of the server', async () => {
  await find('browser/');
  await register(json('browser/restart', 1));
  await open('browser/restart');
  await page.keyboard.press('h');
  await page.locator('#history').waitFor();
  const known = page.locator('#history [data-part=state]');
  await until('its history', async () => (await known.textContent()) === '1 event');
  serverIsDown = true;
  await want('stop');
  await page.locator('.connection[data-state=waiting]').waitFor();
  equal(await page.locator('html[data-stale=true]').count(), 1, 'greyed');
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    await readable();
    await page.screenshot({ path: join(options.screenshots, `reconnecting-${scheme}.png`) });
  }
  await page.locator('#open-register').click();
  await page.locator('[name=type]').fill('browser/lost');
  await page.locator('[name=kind][value=none]').check();
  await review();
  await until('nothing can be sent', () => confirm.isDisabled());
  equal(await page.locator('[data-part=hindrance]').textContent(), 'There is no connection to the server: nothing can be sent.', 'why');
  await page.keyboard.press('Escape');
  await want('start');
  await page.locator('.connection[data-state=live]').waitFor();
  serverIsDown = false;
  equal(await page.locator('html[data-stale=true]').count(), 0, 'greyed');
  await register(json('browser/after', 'again'));
  await payloadIs('browser/after', '"again"');
  // the server keeps nothing, and its ids begin anew: so does the history that is open
  await until('nothing of before', async () => (await known.textContent()) === '0 events');
  await register(json('browser/restart', 2));
  await until('what came after', async () => (await known.textContent()) === '1 event' && (await page.locator('#history tbody .payload').textContent()) === '2');
  await page.locator('#history [data-part=close]').click();
});

await browser.close();
say({ done });
process.exit(0);
