// What axe-core finds against WCAG 2.2, levels A and AA.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'];

/** Faults of the page as it is now: the rule, what it says, and where. It goes into the page by the
 * debugger, which no policy of the page stops. */
export async function faults(page) {
  await page.evaluate(`typeof axe === 'undefined' && (() => { ${source} })()`);
  const { violations } = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target.join(' ')} (${failureSummary.split('\n').at(-1).trim()})`).join(', ')}`);
}
