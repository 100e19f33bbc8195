// The published @hat-open/juggler in the system's Chromium, with our server.
//
//     node published.mjs URL --chromium PATH
//
// URL serves published.html. The server's state is {"leaf": 0, "rows": [...]} of 10 MB. Its requests: `compare`, whether the data are
// its state; `leaf`, which sets the leaf to the data and notifies of it; `fail`, which fails with its data. Lines of standard output as in page.mjs.

import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: options, positionals: [url] } = parseArgs({
  allowPositionals: true,
  options: { chromium: { type: 'string', default: '/usr/bin/chromium' }, screenshots: { type: 'string' } },
});
const PATIENCE = 60_000;
const SEGMENT_SIZE = 64 * 1024;

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

await check('a state of 10 MB arrives', inPage(async () => {
  await app.until((state) => state?.rows);
  const { length } = JSON.stringify(app.connection.state);
  if (length < 10e6) return `it has ${length} characters`;
}));

await check('in segments of 64 Ki', async () => {
  const segments = received.filter(({ kind }) => kind === '1');
  if (segments.length < 10e6 / SEGMENT_SIZE - 1) return `it came in ${segments.length}`;
  const longest = Math.max(...received.map(({ length }) => length));
  if (longest > SEGMENT_SIZE) return `one has ${longest} characters`;
});

await check('and is the state of the server, which takes it back in a request of 10 MB', inPage(async () => {
  const same = await app.connection.send('compare', app.connection.state);
  if (same !== true) return `the server says ${JSON.stringify(same)}`;
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

await check('a request with an empty name is answered with its data', inPage(async () => {
  const data = await app.connection.send('', [1, 'a']);
  if (JSON.stringify(data) !== '[1,"a"]') return JSON.stringify(data);
}));

await check('the page closes the connection', inPage(async () => {
  const closed = new Promise((resolve) => app.connection.addEventListener('close', resolve));
  app.connection.close();
  await closed;
}));

await browser.close();
say({ done });
process.exit(0);
