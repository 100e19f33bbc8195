// A connection that comes back.
//
//     connecting ──open, first state──► live ──┐
//         ▲  │                                 │ closed
//         │  └──closed, or not open in time──► waiting until a time ──┐
//         └────────── the time, `now()`, back online ────────────────┘

import { Connection } from './juggler.js';

/** Milliseconds until the first attempt to come back, what each failure multiplies them by, and
 * their limit: short enough that an operator sees a restarted server at once, long enough that a
 * hundred open pages do not hold down one that starts. */
const FIRST_DELAY = 500;
const GROWTH = 1.8;
const LAST_DELAY = 15_000;

/** Milliseconds that a connection may take to open: a browser itself waits for minutes for a host
 * that is gone. */
const OPEN_TIMEOUT = 10_000;

/** Milliseconds from one question for the lag to the next. */
const LAG_INTERVAL = 2000;

/** Milliseconds in which a page that is looked at again must hear from the server, before it
 * connects anew: a machine that slept has lost its connections, and nobody tells it. */
const AWAKE_TIMEOUT = 3000;

/** Milliseconds to wait before attempt `failures` (from 0), spread so that pages that lost the same
 * server do not return in step. */
export function retryDelay(failures, random = Math.random()) {
  return Math.min(LAST_DELAY, FIRST_DELAY * GROWTH ** failures) * (0.75 + 0.5 * random);
}

/** Where the page's own server listens for Juggler: `/ws` beside the page. */
export function addressOf(location) {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = url.search = '';
  return url.href;
}

/** Connects to `address`, and again whenever the connection ends. `on` has:
 *
 * - `reset()`: a new connection is open, its state starts from null;
 * - `state(diff)`, `notify(name, data)`: as of a `Connection`;
 * - `phase()`: the field `phase` changed: 'connecting', 'live' or 'waiting', the last until
 *   `retryAt` (as of `performance.now()`);
 * - `progress()`: the field `progress` changed.
 */
export class Link {
  phase = 'connecting';
  retryAt = 0;
  /** Why the last connection ended, where the server broke the protocol. */
  reason = null;
  /** Characters of the message that comes in, where it is a long one. */
  progress = 0;

  #address;
  #on;
  #connection = null;
  #failures = 0;
  #timer = null;
  /** The question for the lag that is under way, as of `performance.now()`, and what the last one
   * took. */
  #askedAt = null;
  #lag = 0;

  constructor(address, on) {
    this.#address = address;
    this.#on = on;
    addEventListener('online', () => this.now());
    // timers of a hidden page are slow: whoever looks at it again should not wait for them
    addEventListener('visibilitychange', () => {
      if (document.hidden) return;
      this.now();
      this.#probe();
    });
    // a page that comes back from the cache of the browser has a connection that ended long ago
    addEventListener('pageshow', (event) => event.persisted && this.#probe());
    setInterval(() => document.hidden || this.#ask(), LAG_INTERVAL);
    this.#connect();
  }

  /** Sends a request; see `Connection`. */
  request(name, data) {
    return this.#connection?.request(name, data) ?? Promise.reject(new Error('There is no connection to the server.'));
  }

  /** Milliseconds that what is shown is behind at most: what a question took there and back, behind
   * all that the server had queued. */
  lag(now = performance.now()) {
    return Math.max(this.#lag, this.#askedAt === null ? 0 : now - this.#askedAt);
  }

  /** Asks the server to echo, where no question is under way. A refusal is an answer as well. */
  #ask() {
    const connection = this.#connection;
    if (this.phase !== 'live' || this.#askedAt !== null) return;
    const asked = (this.#askedAt = performance.now());
    const answered = () => {
      if (this.#connection !== connection) return;
      this.#lag = performance.now() - asked;
      this.#askedAt = null;
    };
    connection.request('echo', asked).then(answered, answered);
  }

  /** Pings at once, and connects anew where nothing comes back: whatever was asked before it, and
   * not answered, does not count. */
  #probe() {
    const connection = this.#connection;
    if (this.phase !== 'live') return;
    this.#askedAt = null;
    this.#ask();
    const look = () => {
      if (this.#connection !== connection || this.#askedAt === null || document.hidden) return;
      // much may be under way on a slow link: whoever hears anything is not alone, for as long
      // again
      const silent = performance.now() - connection.heardAt;
      if (silent < AWAKE_TIMEOUT) return void setTimeout(look, AWAKE_TIMEOUT - silent);
      this.#failures = 0;
      connection.close();
      this.now();
    };
    setTimeout(look, AWAKE_TIMEOUT);
  }

  /** Tries now, where it would wait. */
  now() {
    if (this.phase !== 'waiting') return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  #connect() {
    this.#setPhase('connecting');
    const connection = new Connection(new WebSocket(this.#address), {
      open: () => {
        clearTimeout(this.#timer);
        this.#on.reset();
      },
      state: (diff) => {
        this.#on.state(diff);
        this.#failures = 0;
        if (this.phase !== 'live') this.#setPhase('live');
      },
      notify: (name, data) => this.#on.notify?.(name, data),
      progress: (characters) => {
        this.progress = characters;
        this.#on.progress?.();
      },
      close: (reason) => this.#lost(reason),
    });
    this.#connection = connection;
    [this.#askedAt, this.#lag] = [null, 0];
    this.#timer = setTimeout(() => connection.close(), OPEN_TIMEOUT);
  }

  #lost(reason) {
    clearTimeout(this.#timer);
    if (reason) console.warn('The connection was ended:', reason.message);
    this.reason = reason;
    this.progress = 0;
    this.#connection = null;
    const delay = retryDelay(this.#failures++);
    this.retryAt = performance.now() + delay;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#setPhase('waiting');
  }

  #setPhase(phase) {
    if (this.phase === phase && phase === 'live') return;
    this.phase = phase;
    this.#on.phase();
  }
}
