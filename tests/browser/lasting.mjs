// A page that is open for long: a tab that nobody looks at for ten minutes, rows that stay over
// midnight, text that somebody has marked.

import { apart } from './apart.mjs';
import { greys } from './greys.mjs';

/** Milliseconds for which nobody looks. */
const HIDDEN = 600_000;

/** `of` has what page.mjs gives its checks. */
export async function lasting({ page, context, url, check, equal, until, find, open, register, json, want }) {
  const details = page.locator('#details');

  const other = () => apart(context, url, 'lasting/*');

  await check('a tab that was hidden for ten minutes pings at once, and shows what is there', async () => {
    await register(json('lasting/a', 1));
    const { tab, close, sent, hidden, payload, state } = await other();
    await until('the first', async () => (await payload()) === '1');
    await hidden(true);
    await register(json('lasting/a', 2));
    await tab.clock.fastForward(HIDDEN);
    const before = sent.length;
    await hidden(false);
    await until('a question', () => sent.slice(before).some((frame) => frame.includes('"echo"')));
    await until('the newest', async () => (await state()) === 'live' && (await payload()) === '2');
    equal(await tab.locator('html[data-stale=true]').count(), 0, 'greyed');
    await close();
  });

  await check('after ten minutes without a server nothing in a hidden tab has the colour of life', async () => {
    await register(json('lasting/a', 3));
    const { tab, close, hidden, payload, state } = await other();
    await until('the first', async () => (await payload()) === '3');
    await hidden(true);
    if ((await want('freeze')) === 'skip') return void (await close());
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
    await close();
  });

  await check('without a server there is no colour but that of the connection, and the history says until when it knows', async () => {
    await register(json('lasting/b', 1), json('lasting/b', 2));
    const { tab, close, payload, state } = await other();
    await tab.locator('#open-rules').click();
    await tab.locator('#rules textarea').fill('alarm lasting/* payload > 0');
    await tab.locator('#rules .main').click();
    await tab.locator('#search').fill('lasting/b');
    await until('the event', async () => (await payload()) === '2');
    await tab.locator('.row.is-alarm:visible').click();
    await tab.locator('#details [data-part=history]').click();
    await tab.locator('#history .trend canvas').waitFor();
    const parts = ['.status', '.marks', '.table', '.details', '#history .legend .mark', '#history .trend'];
    const coloured = async () => {
      const found = [];
      for (const part of parts) if (!(await greys(context, await tab.locator(part).screenshot()))) found.push(part);
      return found.join();
    };
    const known = tab.locator('#history [data-part=state]');
    equal(await known.textContent(), '2 events', 'of the history while all is well');
    // the test sees what it looks for; the details have colours only where a payload has some
    equal(await coloured(), parts.join(), 'what has colours while all is well');
    equal(await tab.title().then((title) => title.startsWith('! ')), false, 'whether the title warns');
    if ((await want('freeze')) === 'skip') return void (await close());
    await tab.clock.fastForward(10_000);
    await until('it is silent', async () => (await state()) === 'silent');
    await until('it says so', async () => /^2 events; what came after \d\d:\d\d:\d\d is not known$/.test(await known.textContent()));
    equal(await coloured(), '', 'what has colours');
    equal(await tab.title().then((title) => title.startsWith('! ')), true, 'whether the title warns');
    // what is paused does not claim to be of now
    await tab.locator('#history [data-part=pause]').click();
    await until('it is of then', async () => (await known.textContent()) === '2 events');
    await want('thaw');
    await until('it is back', async () => (await state()) === 'live' && !(await tab.title()).startsWith('! '));
    await close();
  });

  await check('the time of an event has its day from midnight on', async () => {
    await register(json('lasting/a', 5));
    const { tab, close, payload } = await other();
    await until('it', async () => (await payload()) === '5');
    const time = () => tab.locator('.row:visible .time').first().textContent();
    await until('a time of today', async () => /^\d\d:\d\d:\d\d\.\d{3}$/.test(await time()));
    await tab.clock.setSystemTime(Date.now() + 86_400_000);
    await until('a time of yesterday', async () => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(await time()));
    await close();
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
