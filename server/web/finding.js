// A search that the server answers, where the state does not hold all types. It is asked again and
// again: what is shown is the latest event of a type, also where the state does not have it.

import { count } from './format.js';
import { keyOf } from './model.js';
import { parse } from './search.js';

/** Types that are asked for. */
const MOST = 1000;

/** Milliseconds to wait for whoever types. */
const DELAY = 250;

/** Milliseconds from an answer to the next question, and how many times what it took the page
 * rests. */
const AGAIN = 2000;
const REST = 10;

export class Finding {
  /** How many types match by their names, and among how many; of these the server gives the events
   * of some. */
  found = 0;
  searched = 0;
  asking = false;
  problem = '';
  /** What is asked for. */
  query = '';

  #on;
  #timer = null;
  #asked = 0;
  #rows = new Map();

  /** `on` has `request(name, data)`; `row(type)`: the row of a type in the state; `ready()`:
   * whether to ask now; `found(rows)`: rows by type; `draw()`. */
  constructor(on) {
    this.#on = on;
  }

  /** Asks for what a query finds by its names, and goes on to; for none, asks for nothing. A query
   * of conditions alone goes for all types. */
  ask(query) {
    this.query = query;
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    [this.asking, this.problem] = [false, ''];
    const { ways, terms, conditions, problem } = parse(query);
    if (problem || !(terms.length + conditions.length)) return;
    this.asking = true;
    this.#timer = setTimeout(() => this.#again(ways, asked), DELAY);
  }

  async #again(ways, asked) {
    const start = performance.now();
    if (this.#on.ready()) {
      await this.#once(ways, asked);
      if (this.#asked !== asked) return;
      this.#on.draw();
    }
    const took = performance.now() - start;
    this.#timer = setTimeout(() => this.#again(ways, asked), Math.max(AGAIN, REST * took));
  }

  async #once(ways, asked) {
    try {
      const { events, found, searched } = await this.#on.request('types', { any: ways, limit: MOST });
      if (this.#asked !== asked) return;
      Object.assign(this, { found, searched, asking: false, problem: '' });
      this.#rows = new Map(Object.entries(events).map(([type, event]) => [type, this.#row(type, event)]));
      this.#on.found(this.#rows);
    } catch (error) {
      if (this.#asked === asked) Object.assign(this, { asking: false, problem: error.message });
    }
  }

  /** The row of the state, or one that stays the same from answer to answer, also to that of
   * another query: who has it open sees what is new. */
  #row(type, event) {
    const known = this.#on.row(type);
    if (known) return known;
    const key = keyOf(event);
    const row = this.#rows.get(type);
    if (!row) return { type, parts: type.split('/'), event, key, version: 1, changedAt: -Infinity };
    if (row.key !== key) Object.assign(row, { event, key, version: row.version + 1, changedAt: performance.now() });
    return row;
  }
}

/** What is said where a search finds none of the types whose events are here, `named`, and `others`
 * match by their names. */
export function noneTested(named, others, query) {
  const rest = others === 1 ? 'the name of one other matches, too' : `the names of ${count(others)} others match, too`;
  if (named > 1) return `None of the ${count(named)} types that were looked at matches “${query}”; ${rest}.`;
  if (named === 1) return `The one type that was looked at does not match “${query}”; ${rest}.`;
  return others === 1 ? `One type matches “${query}” by its name, and was not looked at.` : `${count(others)} types match “${query}” by their names, and none was looked at.`;
}
