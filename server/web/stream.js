// All events as they come, newest first: the server tells them while somebody looks, and how many
// it left out.

import { secondsOf } from './format.js';
import { keyOf } from './model.js';
import { finder, narrows, namesNarrow, parse } from './search.js';

/** Events that are kept in the page, and as many that the search does not find: another one may. */
export const MOST = 5000;

/** Milliseconds over which the rate is taken. */
const WINDOW = 3000;

/** Milliseconds to wait for whoever types. */
const DELAY = 150;

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
  /** Until when, in the server's seconds, there may have been events that are not here, though they
   * match: nobody searched for them then, or they made room. Null where there are none. */
  widened = null;
  /** Grows when `rows` changed. */
  version = 0;

  /** What it was searched for since it was opened; null where it was not yet. */
  #query = null;
  #finds = null;
  #arrivals = [];
  /** Rows that the search does not find, newest first, and when the newest was registered that made
   * room: what is typed letter by letter finds other events at each. */
  #others = [];
  #othersUntil = null;
  /** How many rows came, and how many had when it was paused. */
  #count = 0;
  #pausedAt = 0;

  /** Takes what the server says: `{events, missed}`, oldest first. */
  take({ events, missed }, now = performance.now()) {
    this.missed += missed;
    const rows = events.map((event) => rowOf(event, now, ++this.#count)).reverse();
    const found = this.#found(rows);
    this.#arrivals.push([now, found.length + (this.#finds ? 0 : missed)]);
    while (this.#arrivals.length && this.#arrivals[0][0] < now - WINDOW) this.#arrivals.shift();
    if (this.paused) this.waiting = this.#newest([...found, ...this.waiting]);
    else this.#show(found);
  }

  /** From now on only what a query finds, of what is here, too. `now()` is the server's time in
   * seconds. */
  search(query, now) {
    if (this.#othersUntil !== null && !narrows(query, this.#query)) this.widen(this.#othersUntil);
    this.#query = query;
    this.#finds = query ? finder(query, now) : null;
    const all = [...this.waiting, ...this.rows, ...this.#others].sort((a, b) => b.order - a.order);
    this.#others = [];
    const found = this.#found(all);
    const isWaiting = (row) => this.paused && row.order > this.#pausedAt;
    this.waiting = this.#newest(found.filter(isWaiting));
    this.rows = this.#newest(found.filter((row) => !isWaiting(row)));
    this.version++;
  }

  /** What came until then is here only as far as it was searched for. */
  widen(until) {
    this.widened = Math.max(this.widened ?? -Infinity, until);
  }

  pause(paused) {
    if (paused && !this.paused) this.#pausedAt = this.#count;
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
    [this.widened, this.#query, this.#others, this.#othersUntil] = [null, null, [], null];
    this.version++;
  }

  /** Events a second, of those that match. */
  rate(now = performance.now()) {
    const recent = this.#arrivals.filter(([at]) => at >= now - WINDOW);
    return recent.reduce((sum, [, count]) => sum + count, 0) / (WINDOW / 1000);
  }

  #show(rows) {
    if (!rows.length) return;
    this.rows = this.#newest([...rows, ...this.rows]);
    this.version++;
  }

  /** Those of `rows`, newer than the others that are here, that the search finds. */
  #found(rows) {
    if (!this.#finds) return rows;
    const [found, others] = [[], []];
    for (const row of rows) (this.#finds(row) ? found : others).push(row);
    const all = [...others, ...this.#others];
    for (const { event } of all.splice(MOST)) this.#othersUntil = Math.max(this.#othersUntil ?? -Infinity, secondsOf(event.timestamp));
    this.#others = all;
    return found;
  }

  #newest(rows) {
    this.dropped += Math.max(0, rows.length - MOST);
    return rows.slice(0, MOST);
  }
}

/** Asks the server for the events that the stream shows, or for none. */
export class Following {
  /** Why the server does not tell of what was asked for last. */
  problem = '';

  #stream;
  #on;
  #timer = null;
  /** What the server was last asked for in this connection, as JSON, and did not refuse; how often
   * it was asked, and which of these questions it answered last. */
  #asked = null;
  #asks = 0;
  #answered = 0;
  /** It may tell of something: also where it refused what was asked for last. */
  #tells = false;
  /** What it told of last, since the stream was opened: also before a connection ended. */
  #told = null;

  /** `on` has `request(name, data)`; `wanted()`: the query of what is shown, or null; `shown()`:
   * whether the stream is; `ready()`: whether to ask now; `now()`: the server's seconds;
   * `said(text)`; `draw()`. */
  constructor(stream, on) {
    [this.#stream, this.#on] = [stream, on];
  }

  /** The server tells of what is wanted. */
  get isTold() {
    return this.#asked !== null && this.#answered === this.#asks && this.#asked === this.#wanted();
  }

  /** The stream was opened anew. */
  opened() {
    this.problem = '';
    // it may be told of still
    if (!this.#tells) this.#told = null;
  }

  /** Asks where what is wanted is another. Whoever types is waited for. */
  follow() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#follow(), DELAY);
  }

  /** The connection is over: nothing is told until somebody asks anew. */
  ended() {
    if (this.#tells) this.#stream.interrupt();
    [this.#asked, this.#tells] = [null, false];
  }

  async #follow() {
    const wanted = this.#wanted();
    if (wanted === null ? !this.#tells : wanted === this.#asked) return;
    if (!this.#on.ready()) return;
    if (wanted === null && this.#on.shown()) this.#stream.interrupt();
    [this.#asked, this.#tells, this.problem] = [wanted, wanted !== null, ''];
    const ask = ++this.#asks;
    try {
      await this.#on.request('stream', wanted === null ? {} : { any: JSON.parse(wanted) });
      this.#answered = ask;
      if (wanted !== null) this.#tellsOf(wanted);
    } catch (error) {
      // what was asked since decides, and where the connection ended, that it did
      if (ask !== this.#asks || !this.#on.ready()) return;
      [this.#asked, this.problem] = [null, error.message];
      this.#on.said(error.message);
    }
    this.#on.draw();
  }

  #wanted() {
    const query = this.#on.wanted();
    return query === null ? null : JSON.stringify(parse(query).ways);
  }

  /** From some time before now on, the server tells of this; what it told of before had less,
   * maybe. */
  #tellsOf(wanted) {
    if (this.#told !== null && !namesNarrow(JSON.parse(wanted), JSON.parse(this.#told))) this.#stream.widen(this.#on.now());
    this.#told = wanted;
  }
}

/** A row of the table that is one event, and stays it; `order` grows with each. */
export function rowOf(event, changedAt, order) {
  const { type } = event;
  return { type, parts: type.split('/'), event, key: keyOf(event), version: 1, changedAt, order, fixed: true };
}
