// All events as they come, newest first: the server tells them while somebody looks, and how many
// it left out.

import { keyOf } from './model.js';
import { finder, narrows } from './search.js';

/** Events that are kept in the page. */
export const MOST = 5000;

/** Milliseconds over which the rate is taken. */
const WINDOW = 3000;

export class Stream {
  /** Rows as of the table, one for each event, newest first. */
  rows = [];
  /** Events that came while it was paused and wait to be shown. */
  waiting = [];
  paused = false;
  /** Events that the server had no room to tell, since the stream was opened. */
  missed = 0;
  /** Events that were here, or waited, and made room for newer ones. */
  dropped = 0;
  /** How often the server was not asked for a while, since it was first. */
  interrupted = 0;
  /** When it was last searched for something that an earlier search may have left out, in the
   * server's seconds; null where it was not. */
  widened = null;
  /** Grows when `rows` changed. */
  version = 0;

  /** What it was searched for since it was opened; null where it was not yet. */
  #query = null;
  #finds = null;
  #arrivals = [];

  /** Takes what the server says: `{events, missed}`, oldest first. */
  take({ events, missed }, now = performance.now()) {
    this.missed += missed;
    const found = events.map((event) => rowOf(event, now)).filter((row) => !this.#finds || this.#finds(row)).reverse();
    this.#arrivals.push([now, found.length + (this.#finds ? 0 : missed)]);
    while (this.#arrivals.length && this.#arrivals[0][0] < now - WINDOW) this.#arrivals.shift();
    if (this.paused) this.waiting = this.#newest(found, this.waiting);
    else this.#show(found);
  }

  /** From now on only what a query finds; what does not match goes. `now()` is the server's time in
   * seconds. */
  search(query, now) {
    if (this.#query !== null && !narrows(query, this.#query)) this.widened = now();
    this.#query = query;
    this.#finds = query ? finder(query, now) : null;
    if (this.#finds) {
      this.rows = this.rows.filter(this.#finds);
      this.waiting = this.waiting.filter(this.#finds);
    }
    this.version++;
  }

  pause(paused) {
    this.paused = paused;
    if (paused) return;
    const waiting = this.waiting;
    this.waiting = [];
    this.#show(waiting);
  }

  /** What comes for a while is not told, also where nothing has come yet. */
  interrupt() {
    this.interrupted++;
  }

  clear() {
    [this.rows, this.waiting, this.missed, this.dropped, this.interrupted, this.#arrivals] = [[], [], 0, 0, 0, []];
    [this.widened, this.#query] = [null, null];
    this.version++;
  }

  /** Events a second, of those that match. */
  rate(now = performance.now()) {
    const recent = this.#arrivals.filter(([at]) => at >= now - WINDOW);
    return recent.reduce((sum, [, count]) => sum + count, 0) / (WINDOW / 1000);
  }

  #show(rows) {
    if (!rows.length) return;
    this.rows = this.#newest(rows, this.rows);
    this.version++;
  }

  #newest(rows, before) {
    this.dropped += Math.max(0, rows.length + before.length - MOST);
    return [...rows, ...before].slice(0, MOST);
  }
}

/** A row of the table that is one event, and stays it. */
export function rowOf(event, changedAt) {
  const { type } = event;
  return { type, parts: type.split('/'), event, key: keyOf(event), version: 1, changedAt, fixed: true };
}
