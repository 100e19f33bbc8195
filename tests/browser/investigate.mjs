// What the page has for who looks into something: history and plot, the tree, the stream, rules,
// links, files, and what it says where not all is shown.

import { readFile } from 'node:fs/promises';
import { apart } from './apart.mjs';
import { faults } from './axe.mjs';

/** `of` has what page.mjs gives its checks. */
export async function investigate({ page, context, url, check, equal, until, find, row, pick, open, register, json, screenshot, want }) {
  const grid = page.locator('#grid');
  const details = page.locator('#details');
  const history = page.locator('#history');
  const count = page.locator('#count');
  const shown = () => page.locator('.row:visible').count();
  const mode = (name) => page.locator(`button[data-mode=${name}]`).click();
  const part = (name) => history.locator(`[data-part=${name}]`);
  const accessible = async (where) => {
    const found = await faults(page);
    if (found.length) throw new Error(`${where}: ${found.join('; ')}`);
  };

  await check('a number in a search is a whole one, and quotes hold words together', async () => {
    await register(json('inv/bay 1/temp', { value: 1 }), json('inv/bay 10/temp', { value: 10 }), json('inv/1 bay/temp', { value: 2 }));
    await find('inv bay 1');
    await until('two', async () => (await shown()) === 2);
    await find('inv "bay 1"');
    await until('one', async () => (await shown()) === 1 && (await row('inv/bay 1/temp').count()) === 1);
    await find('*/bay*/temp');
    await until('both bays', async () => (await shown()) === 2);
    await find('inv /value >= 2');
    await until('by payload', async () => (await shown()) === 2 && (await row('inv/bay 1/temp').count()) === 0);
    await find('inv turbine');
    await until('the hint', async () => /Without “turbine” 3 types match/.test(await page.locator('#empty').textContent()));
    await find('age > soon');
    await until('what is wrong', async () => /write a time/.test(await page.locator('#empty').textContent()));
  });

  await check('a column sorts', async () => {
    await find('inv/*');
    const types = () => page.locator('.row:visible').evaluateAll((rows) => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((one) => one.querySelector('.type').textContent).join());
    await page.locator('[data-column=time]').click();
    equal(await page.locator('[aria-sort=descending]').count(), 1, 'columns that sort');
    await register(json('inv/1 bay/temp', { value: 3 }));
    await until('the newest first', async () => (await types()).startsWith('inv/1 bay/temp'));
    await page.locator('[data-column=type]').click();
    await until('by type', async () => (await types()) === 'inv/1 bay/temp,inv/bay 1/temp,inv/bay 10/temp');
  });

  await check('the tree has counts, and opens by the keyboard', async () => {
    await find('');
    await mode('tree');
    equal(await grid.getAttribute('role'), 'treegrid', 'the role');
    const group = (name) => page.locator('.row.group:visible').filter({ has: page.locator('.leaf', { hasText: new RegExp(`^${name}$`) }) });
    await until('a closed group', async () => (await group('inv').getAttribute('aria-expanded')) === 'false');
    equal(await group('inv').locator('.payload').textContent(), '3 types', 'the count');
    await pick(group('inv'), async () => (await group('bay 10').count()) === 1);
    await grid.press('ArrowDown');
    await grid.press('ArrowRight');
    await until('a type', async () => (await page.locator('.row:visible .leaf', { hasText: /^temp$/ }).count()) === 1);
    await accessible('the tree');
    await screenshot('tree');
    await grid.press('ArrowLeft');
    await grid.press('ArrowLeft');
    await grid.press('ArrowLeft');
    await until('it is closed', async () => (await group('bay 10').count()) === 0);
    await mode('latest');
  });

  await check('the stream is newest first, is filtered, and pauses', async () => {
    await mode('stream');
    await find('inv/stream/* payload > 1');
    // until the server tells of it
    let n = 2;
    await until('the first', async () => (await register(json('inv/stream/a', n++)), (await shown()) > 0));
    await register(json('inv/stream/a', 1), json('inv/stream/b', 1000), json('inv/stream/b', 1001));
    const payloads = () => page.locator('.row:visible').evaluateAll((rows) => rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((one) => one.querySelector('.payload').textContent));
    await until('the newest first', async () => (await payloads()).slice(0, 2).join() === '1001,1000');
    equal((await payloads()).includes('1'), false, 'what the filter leaves out');
    await page.locator('#stream-pause').click();
    await register(json('inv/stream/b', 1002));
    await until('it waits', async () => (await page.locator('#stream-pause').textContent()) === 'Go on (1 new)');
    equal((await payloads())[0], '1001', 'the newest while it is paused');
    for (const query of ['inv/stream/* /', 'inv/stream/* payload >', 'inv/stream/* age > x']) await find(query);
    await until('what is wrong', async () => /write a time/.test(await page.locator('#empty').textContent()));
    await find('inv/stream/* payload > 1000');
    await until('they are back', async () => (await payloads()).join() === '1001' && (await page.locator('#stream-pause').textContent()) === 'Go on (1 new)');
    await find('inv/stream/* payload > 1');
    await until('and the others', async () => (await payloads()).slice(0, 2).join() === '1001,1000');
    await accessible('the stream');
    await screenshot('stream');
    await page.locator('#stream-pause').click();
    await until('it goes on', async () => (await payloads())[0] === '1002');
    await pick(page.locator('.row:visible').filter({ has: page.locator('.payload', { hasText: /^1001$/ }) }), async () => (await details.isVisible()) && (await details.locator('pre').textContent()) === '1001');
    await mode('latest');
    await details.waitFor({ state: 'hidden' });
  });

  await check('the stream says that it was interrupted, also where nothing has come, and from when on it has all', async () => {
    await find('inv/stream/none');
    await mode('stream');
    await until('nothing', async () => (await page.locator('#empty').textContent()) === 'No event that matches “inv/stream/none” has been told since it was searched for.');
    const missing = () => page.locator('#missing').textContent();
    const hidden = (is) => page.evaluate((is) => {
      Object.defineProperty(document, 'hidden', { value: is, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, is);
    await hidden(true);
    await until('it says so', async () => /^The stream was interrupted once/.test(await missing()));
    await hidden(false);
    await find('inv/stream/*');
    await until('since when', async () => /What came before \d\d:\d\d:\d\d is here only where an earlier search found it\.$/.test(await missing()));
    await mode('latest');
    await mode('stream');
    let n = 0;
    await until('the first', async () => (await register(json('inv/stream/c', n++)), (await shown()) > 0));
    await hidden(true);
    await until('it says so', async () => /^The stream was interrupted once, while the page was hidden/.test(await page.locator('#missing').textContent()));
    await hidden(false);
    const before = n;
    // one of those that came since: the last may not be drawn yet
    const payloads = () => page.locator('.row:visible .payload').allTextContents();
    await until('it goes on', async () => (await register(json('inv/stream/c', n++)), (await payloads()).some((payload) => Number(payload) >= before)));
    await mode('latest');
    await page.locator('#missing').waitFor({ state: 'hidden' });
  });

  await check('rules light rows and count them', async () => {
    await page.locator('#open-rules').click();
    const rules = page.locator('#rules');
    await rules.locator('textarea').fill('alarm inv/* /value > 5\nstale');
    await rules.locator('.main').click();
    await until('what is wrong', async () => /^Line 2/.test(await rules.locator('[role=alert]').textContent()));
    await accessible('the rules');
    await rules.locator('textarea').fill('alarm inv/* /value > 5\nstale inv/stream/a 0.001s');
    await rules.locator('.main').click();
    await rules.waitFor({ state: 'hidden' });
    await find('inv/*');
    await until('a lit row', async () => (await page.locator('.row.is-alarm:visible .type').allTextContents()).join() === 'inv/bay 10/temp');
    await until('an old row', async () => (await page.locator('.row.is-stale:visible .type').allTextContents()).join() === 'inv/stream/a');
    await until('the counter', async () => (await page.locator('[data-view=marksText]').textContent()) === '1 alarm · 1 stale');
    await accessible('alarms');
    await screenshot('alarms');
    await page.locator('#alarms').click();
    await until('only these', async () => (await shown()) === 2);
    await register(json('inv/bay 10/temp', { value: 0 }));
    await until('it is over', async () => (await shown()) === 1);
    await page.locator('#alarms').click();
    await page.locator('#open-rules').click();
    await rules.locator('textarea').fill('');
    await rules.locator('.main').click();
    await page.locator('#alarms').waitFor({ state: 'hidden' });
  });

  await check('the history of a type, its plot, and another one in it', async () => {
    await register(...Array.from({ length: 30 }, (_, n) => json('inv/bay 1/temp', { value: n })));
    await find('inv/bay*/temp');
    // rows move when what is found is another: who points at one waits for it
    await until('both', async () => (await shown()) === 2);
    await open('inv/bay 1/temp');
    await grid.focus();
    await page.keyboard.press('h');
    await history.waitFor();
    await until('all of them', async () => (await part('state').textContent()) === '31 events');
    equal(await history.locator('tbody tr').count(), 31, 'rows');
    equal(await history.locator('tbody tr').first().locator('.payload').textContent(), '{"value":29}', 'the newest');
    await until('a plot', () => history.locator('.trend canvas').count());
    equal(await history.locator('select').nth(2).inputValue(), '/value', 'the member');
    await register(json('inv/bay 1/temp', { value: 77 }));
    await until('what is new', async () => (await part('state').textContent()) === '32 events');
    await open('inv/bay 10/temp');
    await details.locator('[data-part=add]').click();
    await until('both', async () => (await history.locator('.legend li').count()) === 2 && /^34 events/.test(await part('state').textContent()));
    await part('plot').focus();
    await page.keyboard.press('ArrowRight');
    await until('a value at the cursor', async () => (await history.locator('.legend .value').first().textContent()) !== '');
    await page.keyboard.press('+');
    await part('reset').waitFor();
    await page.keyboard.press('0');
    await part('reset').waitFor({ state: 'hidden' });
    await part('pause').click();
    await register(json('inv/bay 1/temp', { value: 78 }));
    await until('the table has it', async () => (await row('inv/bay 1/temp').locator('.payload').textContent()) === '{"value":78}');
    equal(await part('state').textContent(), '34 events', 'while it is paused');
    await part('pause').click();
    await until('it goes on', async () => (await part('state').textContent()) === '35 events');
    await accessible('the history');
    await screenshot('history');
  });

  await check('a link leads to a search, a type and a time', async () => {
    await part('span').selectOption('1d');
    const link = page.url();
    const other = await context.newPage();
    await other.goto(link);
    await until('the history', async () => /^35 events/.test(await other.locator('#history [data-part=state]').textContent()));
    equal(await other.locator('#search').inputValue(), 'inv/bay*/temp', 'the search');
    equal(await other.locator('#history [data-part=span]').inputValue(), '1d', 'the time');
    equal(await other.locator('#details [data-part=type]').textContent(), 'inv/bay 10/temp', 'the type');
    equal(await other.locator('#history .legend li').count(), 2, 'types in the plot');
    await other.close();
  });

  await check('what is shown becomes a file', async () => {
    const download = async (button) => {
      const [file] = await Promise.all([page.waitForEvent('download'), button.click()]);
      return readFile(await file.path(), 'utf8');
    };
    const lines = (await download(history.locator('[data-export=jsonl]'))).trimEnd().split('\n').map((line) => JSON.parse(line));
    equal(lines.length, 35, 'lines');
    equal(JSON.stringify([lines[0].type, lines[0].payload]), '["inv/bay 1/temp",{"kind":"json","data":{"value":78}}]', 'the newest');
    await part('close').click();
    await history.waitFor({ state: 'hidden' });
    await page.keyboard.press('Escape');
    const csv = (await download(page.locator('.events [data-export=csv]'))).trimEnd().split('\r\n');
    equal(csv.length, 3, 'lines with the heading');
    if (!csv[1].startsWith('inv/bay 1/temp,2')) throw new Error(csv[1]);
  });

  await check('where the state is cut the page says so, and asks the server', async () => {
    const other = await context.newPage();
    // the state of a server with more types than it has room for
    await other.routeWebSocket(/\/ws$/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => socket.send(String(message).replace('"types_cut":0', '"types_cut":7').replace('inv/bay 1/temp', 'inv/hidden')));
    });
    await other.goto(url);
    await until('it says so', async () => /^7 of .* types are not in this table/.test(await other.locator('#missing').textContent()));
    await other.locator('#search').fill('inv bay 10');
    await until('the server has it', async () => /^1 of 1 found among/.test(await other.locator('#count').textContent()));
    equal(await other.locator('.row:visible .type').textContent(), 'inv/bay 10/temp', 'the type');
    await other.close();
  });

  await check('what the server found goes on in the details, and what nobody looked at is said', async () => {
    const other = await context.newPage();
    let found = '"found":1,';
    await other.routeWebSocket(/\/ws$/, (socket) => {
      const server = socket.connectToServer();
      const cut = (text) => text.replace('"types_cut":0', '"types_cut":7').replaceAll('inv/bay 1/temp', 'inv/hidden').replaceAll('inv~1bay 1~1temp', 'inv~1hidden');
      // answers are not the state
      server.onMessage((message) => socket.send(message.includes('"type":"response"') ? message.replace('"found":1,', found) : cut(message)));
    });
    await other.goto(url);
    const [seen, pane] = [() => other.locator('.row:visible .type').allTextContents(), other.locator('#details')];
    await other.locator('#search').fill('inv "bay 1/"');
    await until('the server has it', async () => (await seen()).join() === 'inv/bay 1/temp');
    await other.locator('.row:visible').click();
    await pane.waitFor();
    await other.locator('#search').fill('inv "bay 1/" temp');
    await until('another answer', async () => /^1 of 1 found among/.test(await other.locator('#count').textContent()));
    await register(json('inv/bay 1/temp', { value: 4711 }));
    await until('what is new', async () => (await pane.locator('pre').textContent()).includes('4711'));
    await other.locator('#search').fill('inv turbine');
    await pane.waitFor({ state: 'hidden' });
    // rows of the state are there whatever the server gives
    await other.locator('#search').fill('inv */temp /value < 5000');
    await until('those of both', async () => (await seen()).includes('inv/bay 1/temp') && (await seen()).includes('inv/bay 10/temp'));
    found = '"found":5000,';
    await other.locator('#search').fill('inv "bay 1/" /value > 5000');
    await until('what was not tested', async () => /The conditions were tested on 1 of the 5\u2009000 types whose names match: search for fewer types\.$/.test(await other.locator('#missing').textContent()));
    equal(await other.locator('#empty').textContent(), 'The one type that was looked at does not match “inv "bay 1/" /value > 5000”; the names of 4\u2009999 others match, too.', 'what it says');
    await other.close();
  });

  await check('a history goes on after a question that failed, and up to the end of a time', async () => {
    await register(...Array.from({ length: 600 }, (_, n) => json('inv/long', n)));
    const other = await context.newPage();
    let fails = false;
    await other.routeWebSocket(/\/ws$/, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((message) => {
        const [, id] = /^0\{"type":"request","id":(\d+),"name":"history".*"descending"/.exec(message) ?? [];
        if (fails && id) socket.send(`0{"type":"response","id":${id},"success":false,"data":"The store is busy."}`);
        else server.send(message);
      });
    });
    const state = other.locator('#history [data-part=state]');
    const says = (text) => until(text, async () => (await state.textContent()) === text);
    await other.goto(`${url}#history=inv/long`);
    await says('500 events; the server has older ones in this time');
    fails = true;
    await other.locator('#history [data-part=older]').click();
    await says('500 events; the server has older ones in this time; older ones cannot be loaded: The store is busy');
    await register(json('inv/long', 600));
    await says('501 events; the server has older ones in this time; older ones cannot be loaded: The store is busy');
    fails = false;
    await other.locator('#history [data-part=older]').click();
    await says('601 events');
    const now = Math.floor(Date.now() / 1000);
    await other.goto(`${url}#history=inv/long&span=range&from=${now + 1}&to=${now + 3600}`);
    await says('0 events');
    await until('its beginning', () => Date.now() >= (now + 2) * 1000);
    await register(json('inv/long', 601));
    await says('1 event');
    await other.close();
  });

  await check('an event that is ahead of the clock is not new, and no rule says how old it is', async () => {
    await register({ type: 'inv/ahead' });
    const other = await context.newPage();
    await other.routeWebSocket(/\/ws$/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => socket.send(String(message).replace(/("inv\/ahead":\{[^}]*"timestamp":\[)(\d+)/, (_, before, s) => before + (Number(s) + 3570))));
    });
    await other.addInitScript(() => localStorage.setItem('hat.rules', 'stale inv/ahead 60s'));
    await other.goto(url);
    await other.locator('#search').fill('inv/ahead');
    await until('its age', async () => /^in 59 m$/.test(await other.locator('.row:visible .age').textContent()));
    equal(await other.locator('[data-view=marksText]').textContent(), '0 alarms · 1 not known', 'what the rules say');
    equal(await other.locator('.row.is-unsure:visible').count(), 1, 'rows that are marked');
    await other.locator('.row:visible').click();
    await until('it says why', async () => /^in 59 m: its time is ahead of the server’s clock$/.test(await other.locator('#details [data-part=age]').textContent()));
    await other.locator('#search').fill('inv/ahead age < 1h');
    await until('no condition', async () => /1 event is ahead of the server’s clock: nobody knows how old it is\.$/.test(await other.locator('#missing').textContent()));
    await other.evaluate(() => localStorage.removeItem('hat.rules'));
    await other.close();
  });

  await check('names are cut where they are alike', async () => {
    const types = [1, 2, 11].flatMap((station) => [1, 2].map((bay) => `inv/central of the northern district/substation ${station}/bay ${bay}/breaker/position`));
    await register(...types.map((type) => json(type, 1)));
    await find('inv/central*/*');
    await until('all', async () => (await shown()) === types.length);
    const differ = async (tab) => {
      const seen = await tab.locator('.row:visible').evaluateAll((rows) => rows.map((one) => {
        const [path, leaf, cell] = ['.path', '.leaf', '.type'].map((part) => one.querySelector(part));
        // what the style sheet cuts besides is not seen either
        const fits = cell.scrollWidth <= cell.clientWidth && path.scrollWidth <= path.clientWidth + 1;
        return fits ? path.textContent + leaf.textContent : '';
      }));
      return seen.every((text) => text.includes('…')) && new Set(seen).size === types.length;
    };
    for (const width of [1440, 1024]) {
      await page.setViewportSize({ width, height: 800 });
      await pick(page.locator('.row:visible').first(), () => details.isVisible());
      await until(`different at ${width}`, () => differ(page));
      await accessible(`cut names at ${width}`);
      await screenshot(`cut-${width}`);
    }
    await page.keyboard.press('Escape');
    await page.setViewportSize({ width: 1280, height: 800 });
    // on a narrow page an age stands beside the name, and takes more room the older it is
    const narrow = await apart(context, url, 'inv/central*/*');
    await narrow.tab.setViewportSize({ width: 390, height: 844 });
    await until('different at 390', () => differ(narrow.tab));
    if ((await want('freeze')) !== 'skip') {
      await narrow.tab.clock.fastForward(50_000_000);
      await until('they are old', async () => (await narrow.cells('.age')).every((age) => /^13 h \d\d m$/.test(age)));
      equal(await differ(narrow.tab), true, 'whether they are different with their ages');
      await want('thaw');
    }
    await narrow.close();
  });

  await check('a page that is looked at again finds out whether its connection is dead', async () => {
    if ((await want('freeze')) === 'skip') return;
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
    await page.locator('.connection[data-state=connecting]').waitFor();
    await want('thaw');
    await page.locator('.connection[data-state=live]').waitFor();
  });
  await find('');
  return count;
}
