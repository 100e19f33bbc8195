// The published @hat-open/juggler in the system's Chromium, with our server.
//
//     node published.mjs URL --chromium PATH
//
// URL serves published.html. The server's state is {"leaf": 0, "rows": [{"id": n, "text": "n
// TEXT"}, ...]} of 10 MB. Its requests: `leaf`, which sets the leaf to the data and notifies of it;
// `fail`, which fails with its data. Lines of standard output as in page.mjs.

import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: options, positionals: [url] } = parseArgs({
  allowPositionals: true,
  options: { chromium: { type: 'string', default: '/usr/bin/chromium' }, screenshots: { type: 'string' } },
});
const PATIENCE = 60_000;
const SEGMENT_SIZE = 64 * 1024;
const TEXT = 'čć😀\n"x'.repeat(128);

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
page.setDefaultTimeout(PATIENCE);
const complaints = [];
page.on('pageerror', (error) => complaints.push(String(error.stack)));
const received = [];
page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => received.push({ kind: payload[0], length: payload.length - 1 })));

let done = 0;
async function check(what, body) {
  try {
    const wrong = await body();
    if (wrong !== undefined) throw new Error(wrong);
    if (complaints.length) throw new Error(`the browser complained: ${complaints.join('; ')}`);
  } catch (error) {
    say({ failed: what, error: String(error?.stack ?? error) });
    await browser.close();
    process.exit(1);
  }
  done++;
  say({ check: what });
}

/** Runs in the page. What it returns but undefined is what is wrong. */
const inPage = (body, argument) => () => page.evaluate(body, argument);

await check('the page opens', async () => {
  await page.goto(url);
  await page.waitForFunction(() => window.app);
});

await check('a state of 10 MB arrives, and nothing of it is damaged', inPage(async (text) => {
  await app.until((state) => state?.rows);
  const { state } = app.connection;
  const { length } = JSON.stringify(state);
  if (length < 10e6) return `it has ${length} characters`;
  const wrong = state.rows.findIndex((row, n) => row.id !== n || row.text !== `${n} ${text}`);
  if (wrong !== -1) return `row ${wrong} is ${JSON.stringify(state.rows[wrong])}`;
}, TEXT));

await check('in segments of 64 Ki', async () => {
  const segments = received.filter(({ kind }) => kind === '1');
  if (segments.length < 10e6 / SEGMENT_SIZE - 1) return `it came in ${segments.length}`;
  const longest = Math.max(...received.map(({ length }) => length));
  if (longest > SEGMENT_SIZE) return `one has ${longest} characters`;
});

await check('a request of 10 MB is answered with one', inPage(async () => {
  // but for what the package cuts in two: a pair of surrogates, of which each half is sent as
  // U+FFFD
  const rows = app.connection.state.rows.map(({ text }) => text.replaceAll('😀', 'žž'));
  const echo = await app.connection.send('', rows);
  if (JSON.stringify(echo) !== JSON.stringify(rows)) return 'the answer is another';
}));

await check('a leaf changes and arrives in one small segment', async () => {
  received.length = 0;
  const wrong = await page.evaluate(async () => {
    const rows = app.connection.state.rows;
    await app.connection.send('leaf', 'čć 😀');
    await app.until((state) => state.leaf === 'čć 😀');
    if (app.connection.state.rows.length !== rows.length) return 'the rest of the state is gone';
  });
  if (wrong) return wrong;
  const longest = Math.max(...received.map(({ length }) => length));
  if (longest > 200) return `a segment has ${longest} characters`;
});

await check('a notification arrives', inPage(async () => {
  const { notified } = app;
  for (let tries = 0; !notified.length && tries < 600; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  const expected = JSON.stringify([{ name: 'leaf', data: 'čć 😀' }]);
  if (JSON.stringify(notified) !== expected) return JSON.stringify(notified);
}));

await check('a request that fails is rejected with what the server says', inPage(async () => {
  const failure = await app.connection.send('fail', { code: 7 }).then(() => 'nothing', (error) => JSON.stringify(error));
  if (failure !== '{"code":7}') return `it failed with ${failure}`;
}));

await check('the page closes the connection', inPage(async () => {
  const closed = new Promise((resolve) => app.connection.addEventListener('close', resolve));
  app.connection.close();
  await closed;
}));

await browser.close();
say({ done });
process.exit(0);
