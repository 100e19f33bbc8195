// The example of docs/examples/hmi in the system's Chromium. It speaks as page.mjs does, and wants
// besides:
//
//     {"want": "commands"}                    how many commands were registered, as a number

import { faults } from './axe.mjs';
import { script } from './script.mjs';

const { url, page, want, check, until, screenshot, end } = await script({ width: 800, height: 600 });

const text = (id) => page.locator(`#${id}`).textContent();
const point = (name, data) => want('register', { events: [{ type: `hmi/feeder 1/${name}`, payload: { kind: 'json', data } }] });

await check('what was registered before is there', async () => {
  await page.goto(url);
  await until('it is live', async () => (await text('connection')) === 'Live');
  await until('the current', async () => (await text('current')) === '12.5');
  await until('the position', async () => (await text('position')) === 'closed');
});

await check('what the field says is shown', async () => {
  await point('breaker/position', 'open');
  await until('it is open', async () => (await text('position')) === 'open');
  if (await page.locator('body').getAttribute('data-position') !== 'open') throw new Error('the picture');
  const found = await faults(page);
  if (found.length) throw new Error(found.join('; '));
  await screenshot('hmi');
});

await check('a command is confirmed first, and becomes an event', async () => {
  page.once('dialog', (dialog) => dialog.dismiss());
  await page.getByRole('button', { name: 'Close' }).click();
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Close' }).click();
  await until('the answer', async () => (await text('answer')) === 'The command “closed” is sent.');
  const commands = await want('commands');
  if (commands !== '1') throw new Error(`${commands} commands`);
  // the position is what the field says, and not what was commanded
  if ((await text('position')) !== 'open') throw new Error('the position');
});

await check('without an event server nothing is sent, and the page says so', async () => {
  await want('stop');
  await until('it says so', async () => (await text('connection')) === 'No event server: what is shown may be old');
  if (await page.getByRole('button', { name: 'Open' }).isEnabled()) throw new Error('a button');
  await want('start');
  await until('it is live', async () => (await text('connection')) === 'Live');
  await point('current', 7);
  await until('the current', async () => (await text('current')) === '7');
});

await end();
