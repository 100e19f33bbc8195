// A page that is open for long: a tab that nobody looks at for ten minutes, rows that stay over
// midnight, text that somebody has marked.

/** Milliseconds for which nobody looks. */
const HIDDEN = 600_000;

/** Milliseconds until what must come is missing. */
const PATIENCE = Number(process.env.HAT_PAGE_PATIENCE ?? 30_000);

/** `of` has what page.mjs gives its checks. */
export async function lasting({ page, context, url, check, equal, until, find, open, register, json, want }) {
  const details = page.locator('#details');

  /** A page whose clock can be moved on, and what it sends. The clock is that of all pages of a
   * context, so it has one of its own. */
  async function other() {
    const apart = await context.browser().newContext({ viewport: { width: 1280, height: 800 } });
    const other = await apart.newPage();
    other.setDefaultTimeout(PATIENCE);
    const sent = [];
    other.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
    await other.clock.install();
    await other.goto(url);
    await other.locator('.connection[data-state=live]').waitFor();
    await other.locator('#search').fill('lasting/*');
    const hidden = (is) => other.evaluate((is) => {
      Object.defineProperty(document, 'hidden', { value: is, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, is);
    const payload = () => other.locator('.row:visible .payload').first().textContent();
    const state = () => other.locator('.connection').getAttribute('data-state');
    return { other, sent, hidden, payload, state };
  }

  await check('a tab that was hidden for ten minutes pings at once, and shows what is there', async () => {
    await register(json('lasting/a', 1));
    const { other: tab, sent, hidden, payload, state } = await other();
    await until('the first', async () => (await payload()) === '1');
    await hidden(true);
    await register(json('lasting/a', 2));
    await tab.clock.fastForward(HIDDEN);
    const before = sent.length;
    await hidden(false);
    await until('a question', () => sent.slice(before).some((frame) => frame.includes('"echo"')));
    await until('the newest', async () => (await state()) === 'live' && (await payload()) === '2');
    equal(await tab.locator('html[data-stale=true]').count(), 0, 'greyed');
    await tab.context().close();
  });

  await check('after ten minutes without a server nothing in a hidden tab has the colour of life', async () => {
    await register(json('lasting/a', 3));
    const { other: tab, hidden, payload, state } = await other();
    await until('the first', async () => (await payload()) === '3');
    await hidden(true);
    if ((await want('freeze')) === 'skip') return void (await tab.context().close());
    await tab.clock.fastForward(HIDDEN);
    await hidden(false);
    await until('it is not live', async () => ['silent', 'connecting', 'waiting'].includes(await state()));
    equal(await tab.locator('html[data-stale=true]').count(), 1, 'greyed');
    equal(await tab.locator('.row:visible:not([data-heat="0"])').count(), 0, 'rows that look new');
    const old = await tab.locator('[data-view=stale]').textContent();
    if (!/^Data (10|11) m \d\d s old$/.test(old)) throw new Error(`it says “${old}”`);
    await want('thaw');
    await until('it is back', async () => (await state()) === 'live');
    equal(await tab.locator('html[data-stale=true]').count(), 0, 'greyed');
    await register(json('lasting/a', 4));
    await until('what is new', async () => (await payload()) === '4');
    await tab.context().close();
  });

  await check('the time of an event has its day from midnight on', async () => {
    await register(json('lasting/a', 5));
    const { other: tab, payload } = await other();
    await until('it', async () => (await payload()) === '5');
    const time = () => tab.locator('.row:visible .time').first().textContent();
    await until('a time of today', async () => /^\d\d:\d\d:\d\d\.\d{3}$/.test(await time()));
    await tab.clock.setSystemTime(Date.now() + 86_400_000);
    await until('a time of yesterday', async () => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(await time()));
    await tab.context().close();
  });

  await check('while text of an event is marked, its age is its own', async () => {
    await register(json('lasting/marked', 'first'));
    await find('lasting/marked');
    await open('lasting/marked');
    await until('the first', async () => (await details.locator('pre').textContent()) === '"first"');
    await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('#details pre')));
    await register(json('lasting/marked', 'second'));
    await until('it says so', async () => /there is a newer event/.test(await details.locator('[data-part=age]').textContent()));
    equal(await details.locator('pre').textContent(), '"first"', 'what is marked');
    await page.evaluate(() => getSelection().removeAllRanges());
    await until('the second', async () => (await details.locator('pre').textContent()) === '"second"');
    equal(/newer/.test(await details.locator('[data-part=age]').textContent()), false, 'what its age says');
    await page.keyboard.press('Escape');
  });
}
