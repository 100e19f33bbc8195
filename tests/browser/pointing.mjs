// Who points at a row gets that row, also where the table sorts itself anew meanwhile; and what the
// form was opened for stays what it registers.

import { apart } from './apart.mjs';

/** `of` has what page.mjs gives its checks. */
export async function pointing({ page, context, url, check, equal, until, find, row, open, register, json, want }) {
  const grid = page.locator('#grid');

  /** A page that has `pointing/a`, `b` and `c` sorted by time, the newest first, in a time that
   * stands still. */
  async function sorted() {
    for (const name of ['c', 'b', 'a']) await register(json(`pointing/${name}`, 0));
    const own = await apart(context, url, 'pointing/?');
    await own.tab.locator('[data-column=time]').click();
    const order = async () => (await own.cells('.leaf')).map((leaf) => leaf.slice(1)).join('');
    await until('the newest first', async () => (await order()) === 'abc');
    await own.tab.clock.pauseAt(Date.now() + 60_000);
    // so that it would sort them at once
    await own.tab.clock.runFor(2000);
    const point = async (index) => {
      const { x, y, width, height } = await own.tab.locator(`.row[aria-rowindex="${index + 2}"]`).boundingBox();
      await own.tab.mouse.move(x + width / 3, y + height / 2);
    };
    /** Registers, and lets time go on until the page has drawn it. */
    const event = async (type, value, drawn) => {
      await register(json(type, value));
      await until(`${type} is drawn`, async () => (await own.tab.clock.runFor(20), drawn()));
    };
    return { ...own, order, point, event };
  }

  await check('rows keep their places while somebody points at one, and its values go on', async () => {
    const { tab, order, point, event, cells, close } = await sorted();
    await point(1);
    await event('pointing/c', 7, async () => (await cells('.payload')).join() === '0,0,7');
    equal(await order(), 'abc', 'the order');
    await tab.mouse.down();
    await tab.mouse.up();
    await tab.clock.runFor(100);
    equal(await tab.locator('#details [data-part=type]').textContent(), 'pointing/b', 'what was clicked');
    // nobody points any more
    await until('they are sorted', async () => (await tab.clock.runFor(500), (await order()) === 'cab'));
    equal(await tab.locator('#details [data-part=type]').textContent(), 'pointing/b', 'what is open');
    await close();
  });

  await check('a click on a row that came there a moment ago chooses none', async () => {
    const { tab, order, point, event, close } = await sorted();
    const toast = tab.locator('.toast');
    await point(1);
    // the pointer rests, for longer than rows wait for it
    await tab.clock.runFor(3000);
    await event('pointing/c', 8, async () => (await order()) === 'cab');
    await tab.mouse.down();
    await tab.mouse.up();
    await tab.clock.runFor(100);
    equal(await tab.locator('#details').isVisible(), false, 'whether something was chosen');
    equal(await toast.textContent(), 'The rows moved just now, and none was chosen: click again.', 'why');
    // it was seen meanwhile
    await register(json('pointing/b', 9));
    await tab.clock.runFor(500);
    await tab.mouse.down();
    await tab.mouse.up();
    await tab.clock.runFor(100);
    equal(await tab.locator('#details [data-part=type]').textContent(), 'pointing/a', 'what was clicked');
    await close();
  });

  await check('the form registers for the row that it was opened for, whatever moves behind it', async () => {
    const { tab, order, point, event, close } = await sorted();
    await point(2);
    await tab.mouse.down();
    await tab.mouse.up();
    await tab.clock.runFor(100);
    equal(await tab.locator('#details [data-part=type]').textContent(), 'pointing/c', 'what was clicked');
    await tab.locator('#grid').press('r');
    equal(await tab.locator('[name=type]').inputValue(), 'pointing/c', 'the type');
    await tab.locator('[name=json]').fill('"chosen"');
    await event('pointing/b', 10, async () => (await order()) === 'bac');
    await tab.locator('[name=submit]').click();
    await tab.clock.runFor(100);
    equal(await tab.locator('[data-part=confirmType]').textContent(), 'pointing/c', 'the type to confirm');
    await event('pointing/a', 11, async () => (await order()) === 'abc');
    equal(await tab.locator('[data-part=confirmType]').textContent(), 'pointing/c', 'the type to confirm');
    await until('it can be sent', async () => (await tab.clock.runFor(20), tab.locator('[data-part=confirm]').isEnabled()));
    await tab.locator('[data-part=confirm]').click();
    await until('it is done', async () => (await tab.clock.runFor(100), (await order()) === 'cab'));
    await close();
    await find('pointing/?');
    await until('it', async () => (await row('pointing/c').count()) === 1 && (await row('pointing/c').locator('.payload').textContent()) === '"chosen"');
  });

  await check('what comes late into the form is not written over what somebody wrote', async () => {
    await register(json('pointing/late', 'x'.repeat(10_000)));
    await find('pointing/late');
    await open('pointing/late');
    if ((await want('freeze')) === 'skip') return;
    await grid.focus();
    await page.keyboard.press('r');
    // its payload is too long for the table: it was asked for, and the answer is under way
    await page.locator('[name=json]').fill('"written"');
    await want('thaw');
    await page.locator('.connection[data-state=live]').waitFor();
    // the answer to this question comes after it
    await until('what is there', async () => {
      await page.locator('[name=submit]').click();
      await page.locator('[data-part=confirm]').waitFor();
      return until('an answer', async () => !/^Asking/.test(await page.locator('[data-part=confirmOld]').textContent()));
    });
    equal(await page.locator('[data-part=confirmNew]').textContent(), '"written"', 'what is sent');
    await page.locator('[data-part=back]').click();
    equal(await page.locator('[name=json]').inputValue(), '"written"', 'what is written');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await find('');
  });
}
