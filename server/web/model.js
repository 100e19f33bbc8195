// What the page knows: the server's state, patched in place, and a row for each event type.
//
// A patch says which rows are different. Whoever draws compares a row's `version` with the one that
// was drawn; nothing here touches the page.

import { patch } from './patch.js';

/** Readings of the server's clock that are kept: the one that was the least time under way is
 * right. */
const CLOCK_READINGS = 20;

/** Seconds by which the server's clock falls back where it was set, and not merely late. */
const CLOCK_SET = 60;

/** Milliseconds over which rows that change are counted. */
const CHANGES_WINDOW = 2000;

/** What tells an event from all others: an id alone comes again where a server that keeps nothing
 * has restarted. */
export function keyOf({ id, timestamp }) {
  return `${id}@${timestamp}`;
}

export class Model {
  /** The state as the server has it; null before the first patch. */
  state = null;
  /** All rows by event type: `{type, parts, event, key, version, changedAt}`. */
  rows = new Map();
  /** Grows when rows came or went. */
  typesVersion = 0;
  /** Grows when anything in `rate` changed. */
  rateVersion = 0;
  /** `performance.now()` of the last patch. */
  heardAt = -Infinity;

  #clock = [];
  #on;
  #changes = [];

  /** `on` may have `changed(row)`: its event is another one, or it is new; `gone(row)`. */
  constructor(on = {}) {
    this.#on = on;
  }

  /** Rows that change in a second. */
  changeRate(now = performance.now()) {
    let sum = 0;
    for (const [at, count] of this.#changes) if (at > now - CHANGES_WINDOW) sum += count;
    return sum / (CHANGES_WINDOW / 1000);
  }

  /** A new connection: its first patch starts from null. The rows stay until that patch says which
   * of them are left. */
  reset() {
    this.state = null;
    this.#clock = [];
  }

  /** Applies the patch of a `state` message. */
  apply(diff, now = performance.now()) {
    this.heardAt = now;
    let all = false;
    let rate = false;
    const changed = new Set();
    this.state = patch(this.state, diff, ([part, type]) => {
      if (part === undefined || (part === 'events' && type === undefined)) all = true;
      else if (part === 'events') changed.add(type);
      if (part === undefined || part === 'rate') rate = true;
    });
    if (all) this.#all(now);
    else {
      for (const type of changed) this.#one(type, now);
      this.#changes.push([now, changed.size]);
      while (this.#changes[0][0] < now - CHANGES_WINDOW) this.#changes.shift();
    }
    if (rate) this.#rate();
  }

  /** Seconds since 1970 by the server's clock, so that ages are right where the clock of this
   * machine is not, and while somebody sets it. */
  now() {
    if (!this.#clock.length) return Date.now() / 1000;
    return performance.now() / 1000 + Math.max(...this.#clock);
  }

  #all(now) {
    const events = this.state?.events ?? {};
    for (const type of this.rows.keys()) if (!Object.hasOwn(events, type)) this.#gone(type);
    // what is there when the page connects did not just change
    for (const type of Object.keys(events)) this.#one(type, now, -Infinity);
  }

  #one(type, now, firstSeen = now) {
    const events = this.state?.events ?? {};
    if (!Object.hasOwn(events, type)) return this.#gone(type);
    const event = events[type];
    const row = this.rows.get(type);
    const key = keyOf(event);
    if (!row) {
      const row = { type, parts: type.split('/'), event, key, version: 1, changedAt: firstSeen };
      this.rows.set(type, row);
      this.typesVersion++;
      this.#on.changed?.(row);
    } else {
      row.event = event;
      row.version++;
      // the same event once more, after a reconnection, is no change
      if (row.key !== key) row.changedAt = now;
      row.key = key;
      this.#on.changed?.(row);
    }
  }

  #gone(type) {
    const row = this.rows.get(type);
    if (!row) return;
    this.rows.delete(type);
    this.typesVersion++;
    this.#on.gone?.(row);
  }

  #rate() {
    this.rateVersion++;
    const at = this.state?.rate?.at;
    if (!Number.isFinite(at)) return;
    // second `at` has ended, so that it is `at + 1` now, or a little later
    const reading = at + 1 - performance.now() / 1000;
    // a second that is under way so long is none: the server's clock was set
    if (this.#clock.length && reading < Math.max(...this.#clock) - CLOCK_SET) this.#clock = [];
    this.#clock.push(reading);
    if (this.#clock.length > CLOCK_READINGS) this.#clock.shift();
  }
}
