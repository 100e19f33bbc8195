// A search that the server answers, where the state does not hold all types.

import { parse } from './search.js';
import { rowOf } from './stream.js';

/** Types that are asked for. */
const MOST = 1000;

/** Milliseconds to wait for whoever types. */
const DELAY = 250;

export class Finding {
  /** How many types match by their names, and among how many. */
  found = 0;
  searched = 0;
  asking = false;
  problem = '';

  #on;
  #timer = null;
  #asked = 0;

  /** `on` has `request(name, data)`; `found(rows)`: rows by type; `draw()`. */
  constructor(on) {
    this.#on = on;
  }

  /** Asks for what a query finds; for none, asks for nothing. */
  ask(query) {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    [this.asking, this.problem] = [false, ''];
    const { ways, terms } = parse(query);
    if (!terms.length) return;
    this.asking = true;
    this.#timer = setTimeout(async () => {
      try {
        const { events, found, searched } = await this.#on.request('types', { any: ways, limit: MOST });
        if (this.#asked !== asked) return;
        Object.assign(this, { found, searched, asking: false });
        this.#on.found(new Map(Object.entries(events).map(([type, event]) => [type, rowOf({ ...event, type }, -Infinity)])));
      } catch (error) {
        if (this.#asked === asked) Object.assign(this, { asking: false, problem: error.message });
      }
      this.#on.draw();
    }, DELAY);
  }
}
