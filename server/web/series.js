// The events of one type over a time, as far as the page has them: page by page from the server,
// and what comes meanwhile.
//
// The server finds nothing after an event that it does not have any more. So where it finds
// nothing, it is asked once more from the time of that event on.

import { secondsOf } from './format.js';
import { keyOf } from './model.js';

/** Events that one request asks for. */
const PAGE = 500;

/** The same of what is new: as many as the server gives at once. */
const NEW_PAGE = 2000;

/** Events that are kept in the page: more are points that nobody tells apart. */
const MOST = 20_000;

/** Characters of their payloads. */
const MOST_CHARACTERS = 16 * 2 ** 20;

/** Seconds of events that may be missing at the new end: then the newest are asked for, in place
 * of all in between. */
const LATE = 10;

/** Seconds that the clocks of the page and the server may be apart. */
const CLOCKS = 5;

export class Series {
  type;
  /** Of the number that is plotted, a JSON pointer; null where nobody knows of one yet. */
  pointer;
  /** Newest first. */
  events = [];
  /** The server has given the newest. */
  loaded = false;
  /** It has older ones in the time. */
  more = false;
  /** It had older ones, and has them no more. */
  gone = false;
  /** There is room for no older ones. */
  full = false;
  /** It has newer ones, which are on their way. */
  behind = false;
  /** Since when, in seconds, the latest event of the type is one that the server does not keep; or
   * false. */
  unkept = false;
  /** Why there is no answer to the last question for a page, and to the last for what is new. */
  problem = '';
  lost = '';

  #time;
  #on;
  /** The newest event by its registration that the server has given, also where it does not belong
   * to the time: what is new comes after it. */
  #newest = null;
  /** What the latest event of the type was when what is new was asked for. */
  #followed;
  /** Until when, in the server's seconds, all events are here, whatever the latest one is. */
  #until = null;
  #loadedAt;

  /** `time` has `by`, 'timestamp' or 'source_timestamp', and `limits()`: from when to when, in
   * seconds, or null. `on` has `request(name, data)`; `row(type)`: the row of a type; `now()`: the
   * server's seconds; `known()`: until when the page knows all, in those. */
  constructor({ type, pointer = null }, time, on) {
    [this.type, this.pointer, this.#time, this.#on] = [type, pointer, time, on];
    this.#loadedAt = on.now() - CLOCKS;
  }

  /** Asks for the newest, and after that for the next older ones. */
  async page() {
    const [from, to] = this.#time.limits();
    const oldest = this.events.at(-1);
    const known = this.#on.known();
    try {
      const data = { from: stamp(from), to: stamp(to), by: this.#time.by, order: 'descending', limit: PAGE };
      const { events, more } = oldest ? await this.#further(oldest, data) : await this.#ask(data);
      // there was no room for it any more
      if (this.events.at(-1) !== oldest) return;
      this.gone = this.more && !events.length;
      [this.more, this.problem] = [more, ''];
      // the first page is of one moment; what an older one has may be newer than what nobody has
      // asked for yet
      if (!oldest) [this.loaded, this.#until, this.#newest] = [true, known, newestOf(this.#newest, events)];
      this.#keep(this.events.concat(events));
    } catch (error) {
      this.problem = error.message;
    }
  }

  /** Whether there may be newer events: of a type that the state has no room for nobody tells. */
  get isBehind() {
    const row = this.#on.row(this.type);
    return !row || row.key !== (this.#followed ?? (this.events[0] ? keyOf(this.events[0]) : ''));
  }

  /** Whether events may come that belong to the time. */
  get isOpen() {
    const [, to] = this.#time.limits();
    return to === null || (this.#known() ?? this.#on.now()) < to + CLOCKS;
  }

  /** Until when all of its events are here, in the server's seconds; null where none are. */
  until() {
    return this.unkept === false ? this.#known() : Math.min(this.#known(), this.unkept);
  }

  #known() {
    return this.loaded && !this.lost && !this.isBehind ? this.#on.known() : this.#until;
  }

  /** Asks for what came since: everything from the newest that is known on, also what the latest
   * values never showed. By the time of registration, whatever the order is: what comes late by its
   * source time is new all the same. Gives 'changed', 'late' where events come faster than they can
   * be asked for and the newest are to be asked for anew, or null. By the source time that would
   * give the same ones: what was registered last is not what is newest. */
  async follow() {
    const { by } = this.#time;
    const [, to] = this.#time.limits();
    const latest = this.#on.row(this.type);
    const [key, event] = [latest?.key ?? '', latest?.event];
    const known = this.#on.known();
    const last = this.#newest;
    const before = [this.behind, this.unkept, this.lost].join();
    let fresh = [];
    try {
      const data = { from: last?.timestamp ?? stamp(this.#loadedAt), to: by === 'timestamp' ? stamp(to) : null, by: 'timestamp', order: 'ascending', limit: NEW_PAGE };
      const { events, more } = last ? await this.#further(last, data) : await this.#ask(data);
      const newest = events.at(-1);
      if (more && by === 'timestamp' && this.#on.known() - secondsBy(newest, 'timestamp') > LATE) return 'late';
      this.#newest = newestOf(last, events);
      const here = this.#keys();
      fresh = events.filter((event) => !here.has(keyOf(event)) && this.#isIn(event));
      if (fresh.length) this.#keep([...fresh.reverse(), ...this.events].sort((a, b) => secondsBy(b, by) - secondsBy(a, by) || compareIds(b.id, a.id)));
      [this.behind, this.lost, this.#followed] = [more, '', more ? undefined : key];
      this.#until = more ? secondsBy(newest, 'timestamp') : known;
      // asked for, and not given
      const isAsked = event && (last ? compareTimes(event, last) > 0 : compareStamps(event.timestamp, data.from) >= 0) && !(data.to && compareStamps(event.timestamp, data.to) > 0);
      this.unkept = !more && isAsked && !events.some((event) => keyOf(event) === key) ? secondsBy(event, 'timestamp') : false;
    } catch (error) {
      this.lost = error.message;
    }
    return fresh.length || before !== [this.behind, this.unkept, this.lost].join() ? 'changed' : null;
  }

  #ask(data) {
    return this.#on.request('history', { types: [this.type], after: null, ...data });
  }

  /** What follows `last`, one of the events that are here. */
  async #further(last, data) {
    const answer = await this.#ask({ ...data, after: last.id });
    if (answer.events.length) return answer;
    // there is nothing, or `last` is gone: all from its time on, of which some may be here
    const edge = data.order === 'ascending' ? 'from' : 'to';
    const here = this.#keys();
    const isOld = (event) => here.has(keyOf(event)) || (edge === 'from' && compareTimes(event, last) <= 0 && !this.#isIn(event));
    let { events, more } = await this.#ask({ ...data, [edge]: last[data.by] });
    while (more && events.length && events.every(isOld)) {
      ({ events, more } = await this.#ask({ ...data, [edge]: last[data.by], after: events.at(-1).id }));
    }
    return { events: events.filter((event) => !isOld(event)), more };
  }

  /** Whether an event belongs to the time. */
  #isIn(event) {
    const { by } = this.#time;
    const [from, to] = this.#time.limits();
    return event[by] && !(from !== null && secondsBy(event, by) < from) && !(to !== null && secondsBy(event, by) > to);
  }

  #keys() {
    return new Set(this.events.map(keyOf));
  }

  /** Keeps the newest of `events` that there is room for. */
  #keep(events) {
    let [end, characters] = [0, 0];
    for (; end < events.length && end < MOST; end++) {
      const { json, binary } = events[end].payload ?? {};
      characters += json?.text.length ?? binary?.data.length ?? 0;
      if (characters > MOST_CHARACTERS) break;
    }
    this.full = end < events.length || end === MOST;
    this.more ||= end < events.length;
    this.events = end < events.length ? events.slice(0, end) : events;
  }
}

/** The time of an event that is asked for, in seconds. */
export function secondsBy(event, by) {
  return secondsOf(event[by] ?? event.timestamp);
}

export function compareIds(a, b) {
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

/** The last registered of `events` and one more. */
function newestOf(newest, events) {
  return events.reduce((last, event) => (last && compareTimes(last, event) >= 0 ? last : event), newest);
}

function compareTimes(a, b) {
  return compareStamps(a.timestamp, b.timestamp) || compareIds(a.id, b.id);
}

function compareStamps(a, b) {
  return a[0] - b[0] || a[1] - b[1];
}

function stamp(seconds) {
  return seconds === null ? null : [Math.floor(seconds), 0];
}
