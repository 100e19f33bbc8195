// The drawer with what has been: the events of one type or of several over a time, page by page
// from the server, and the plot of their numbers.
//
//     series   {type, pointer, events, more}      newest first; `more`: the server has older ones;
//                                                 `behind`: it has newer ones, too
//
// While it is not paused and the time has no end, what is new is asked for when the latest event of
// a type is another one.

import { brief, clock, count, exact, visibleName } from './format.js';
import { keyOf } from './model.js';
import { isUnknown, member, valueOf } from './search.js';
import { Trend } from './trend.js';

/** Events that one request asks for. */
const PAGE = 500;

/** The same of what is new: as many as the server gives at once. */
const NEW_PAGE = 2000;

/** Events of a series that are kept in the page: more are points that nobody tells apart. */
const MOST = 20_000;

/** Characters of their payloads. */
const MOST_CHARACTERS = 16 * 2 ** 20;

/** Rows of the list that are in the document, until somebody asks for more, and at the most: each
 * is made anew with every event that comes. The plot and the files have all. */
const LISTED = 200;
const MOST_LISTED = 1000;

/** Series that can be told apart by their colours. */
export const MOST_SERIES = 6;

/** Milliseconds between two requests for what is new. */
const FOLLOW = 1000;

/** Seconds of events that may be missing at the new end: then the newest are asked for, in place
 * of all in between. */
const LATE = 10;

/** Seconds that the clocks of the page and the server may be apart. */
const CLOCKS = 5;

/** The times to choose from, in seconds; `all` goes back as far as the server keeps events. */
export const SPANS = { '15m': 900, '1h': 3600, '6h': 21_600, '1d': 86_400, '7d': 604_800, '30d': 2_592_000 };

export class History {
  /** `[{type, pointer, events, more, full, behind, problem}]`, in the order of the plot. */
  series = [];
  /** `{span, from, to, by}`: `span` one of `SPANS`, `all` or `range`; `from` and `to` are seconds,
   * of a range. */
  range = { span: '1h', from: null, to: null, by: 'timestamp' };
  paused = false;

  #drawer;
  #part;
  #on;
  #trend;
  #listed = LISTED;
  #asked = 0;
  #version = 0;
  #drawn = '';
  #trendDrawn = '';
  #until = null;
  #followedAt = 0;
  #following = false;
  /** The start of the server that was asked. */
  #started;

  /** `on` has `request(name, data)`; `row(type)`: the row of a type; `now()`: the server's seconds;
   * `known()`: until when the page knows all, in those; `started()`: when the server was started,
   * undefined while nobody knows; `stale()`: there is nothing new, because the page hears nothing;
   * `changed()`: what is shown is another; `close()`; `draw()`: a frame is wanted. */
  constructor(drawer, on) {
    this.#drawer = drawer;
    this.#on = on;
    this.#part = Object.fromEntries(Array.from(drawer.querySelectorAll('[data-part]'), (element) => [element.dataset.part, element]));
    const { close, span, by, from, to, pause, older, reset } = this.#part;
    close.addEventListener('click', () => on.close());
    span.addEventListener('change', () => this.setRange({ ...this.range, span: span.value, ...(span.value === 'range' ? this.#limits() : {}) }));
    by.addEventListener('change', () => this.setRange({ ...this.range, by: by.value }));
    for (const field of [from, to]) field.addEventListener('change', () => this.setRange({ ...this.range, span: 'range', from: inputOf(from), to: inputOf(to) }));
    pause.addEventListener('click', () => this.pause(!this.paused));
    older.addEventListener('click', () => this.#older());
    reset.addEventListener('click', () => this.#trend.reset());
    this.#trend = new Trend({ plot: this.#part.plot, readout: this.#part.readout }, { zoomed: (zoomed) => (reset.hidden = !zoomed) });
  }

  get open() {
    return this.series.length > 0;
  }

  get element() {
    return this.#drawer;
  }

  /** Shows these, `[{type, pointer}]`. A pointer that is not given is the first number of the
   * latest payload. */
  show(series, range = this.range) {
    this.series = series.slice(0, MOST_SERIES).map(({ type, pointer }) => ({ type, pointer: pointer ?? null, events: [], more: false, problem: '' }));
    this.#drawer.hidden = false;
    this.setRange(range);
  }

  /** One series more, in the same time. */
  add(type) {
    if (this.series.length >= MOST_SERIES || this.series.some((one) => one.type === type)) return false;
    this.show([...this.series, { type }]);
    return true;
  }

  hide() {
    this.series = [];
    this.#asked++;
    this.#drawer.hidden = true;
    this.#trend.clear();
  }

  focus() {
    this.#part.heading.focus();
  }

  pause(paused) {
    this.paused = paused;
    this.#part.pause.textContent = paused ? 'Go on' : 'Pause';
    this.#part.pause.setAttribute('aria-pressed', paused);
    this.#on.changed();
    this.#on.draw();
  }

  setRange(range) {
    this.range = range;
    const { span, by, from, to, custom } = this.#part;
    [span.value, by.value] = [range.span, range.by];
    custom.hidden = range.span !== 'range';
    [from.value, to.value] = [inputFor(range.from), inputFor(range.to)];
    this.#listed = LISTED;
    this.#trend.reset();
    this.#load();
    this.#on.changed();
  }

  /** Brings the drawer up to date; called whenever the page is drawn. */
  draw(now) {
    if (!this.open) return;
    this.#restarted();
    this.#follow(now);
    this.#drawTrend();
    const follows = !this.paused && this.#times()[1] === null;
    const stale = follows && this.#on.stale();
    const drawn = `${this.#version} ${this.#listed} ${this.paused} ${stale} ${new Date().getDate()} ${this.#on.started() ?? this.#started}`;
    if (this.#drawn === drawn) return;
    this.#drawer.dataset.follows = follows;
    this.#drawn = drawn;
    this.#drawLegend();
    this.#drawList();
    const known = this.series.reduce((sum, one) => sum + one.events.length, 0);
    const more = this.series.some((one) => one.more);
    const problem = this.series.find((one) => one.problem)?.problem;
    const full = this.series.some((one) => one.full);
    const cut = this.series.reduce((sum, one) => sum + one.events.reduce((sum, event) => sum + isUnknown(event), 0), 0);
    let text = this.loading ? 'Asking the server …' : `${count(known)} ${known === 1 ? 'event' : 'events'}`;
    if (!this.loading && more) text += full ? ': the newest of a type, for which there is room here; choose a shorter time for others' : '; the server has older ones in this time';
    if (!this.loading && !this.paused && this.series.some((one) => one.behind)) text += '; newer ones are on their way';
    if (!this.loading && stale) text += `; what came after ${clock([Math.floor(this.#on.known()), 0]).replace(/\.000$/, '')} is not known`;
    if (!this.loading && cut) text += `; ${count(cut)} payloads are too long, and not in the plot`;
    if (!this.loading && this.paused && this.#on.started() !== this.#started) text += ' of before the server was started again';
    if (problem) text = problem;
    write(this.#part.state, text);
    this.#part.state.classList.toggle('wrong', Boolean(problem));
    this.#part.older.hidden = !more || full || this.loading;
  }

  /** A time without an end goes on to where the page knows what was: what is old does not look like
   * now, and a value holds until the next one. */
  #drawTrend() {
    const [from, to] = this.#times();
    const goesOn = to === null && this.range.by === 'timestamp' && !this.series.some((one) => one.behind);
    if (!this.paused || !this.#until) this.#until = this.#on.known();
    const step = Math.max(1, (this.#until - (from ?? this.#until)) / 600);
    const drawn = `${this.#version} ${goesOn ? Math.floor(this.#until / step) : ''}`;
    if (this.#trendDrawn === drawn) return;
    this.#trendDrawn = drawn;
    const series = this.series.map((one) => ({ name: `${visibleName(one.type)} ${one.pointer ?? ''}`.trim(), points: pointsOf(one, this.range.by) }));
    this.#trend.draw(series, from, goesOn ? this.#until : to, goesOn);
  }

  /** All events that are here, newest first, each with its type. */
  get events() {
    const by = this.range.by;
    const all = this.series.flatMap(({ type, events }) => events.map((event) => ({ ...event, type })));
    return all.sort((a, b) => secondsBy(b, by) - secondsBy(a, by) || compareIds(b.id, a.id));
  }

  /** The time that is shown, in seconds; null for 'no limit'. */
  #times() {
    const { span, from, to } = this.range;
    if (span === 'range') return [from, to];
    if (span === 'all') return [null, null];
    return [this.#on.now() - SPANS[span], null];
  }

  #limits() {
    const now = Math.floor(this.#on.now());
    const [from] = this.#times();
    return { from: Math.floor(from ?? now - 3600), to: now };
  }

  /** A server that was started again may have kept less than is here: all is asked for anew. What
   * is paused stays, and says so. */
  #restarted() {
    const started = this.#on.started();
    if (started === undefined || started === this.#started) return;
    if (this.#started !== undefined && !this.paused && !this.loading) this.#load();
  }

  async #load() {
    const asked = ++this.#asked;
    this.loading = true;
    this.#started = this.#on.started();
    for (const one of this.series) Object.assign(one, { events: [], more: false, full: false, behind: false, problem: '', followed: undefined, loadedAt: this.#on.now() - CLOCKS });
    this.#changed();
    await Promise.all(this.series.map((one) => this.#page(one, asked)));
    if (this.#asked !== asked) return;
    this.loading = false;
    for (const one of this.series) one.pointer ??= this.#guess(one);
    this.#changed();
    this.#on.changed();
  }

  async #older() {
    const asked = this.#asked;
    this.loading = true;
    this.#changed();
    await Promise.all(this.series.filter((one) => one.more && !one.full).map((one) => this.#page(one, asked)));
    if (this.#asked !== asked) return;
    this.loading = false;
    this.#listed = Math.min(this.#listed + LISTED, MOST_LISTED);
    this.#changed();
  }

  /** The next older page of a series. */
  async #page(one, asked) {
    const [from, to] = this.#times();
    const after = one.events.at(-1)?.id ?? null;
    try {
      const data = { types: [one.type], from: stamp(from), to: stamp(to), by: this.range.by, order: 'descending', limit: PAGE, after };
      const { events, more } = await this.#on.request('history', data);
      if (this.#asked !== asked) return;
      one.more = more;
      keep(one, one.events.concat(events));
    } catch (error) {
      if (this.#asked === asked) one.problem = error.message;
    }
  }

  /** What came since: everything from the newest that is known, also what the latest values never
   * showed. */
  async #follow(now) {
    const [, to] = this.#times();
    const wait = this.series.some((one) => one.behind) ? 0 : FOLLOW;
    if (this.paused || this.loading || this.#following || to !== null || now < this.#followedAt + wait) return;
    const behind = this.series.filter((one) => !one.problem && this.#isBehind(one));
    if (!behind.length) return;
    this.#followedAt = now;
    this.#following = true;
    await this.#catchUp(behind, this.#asked);
    this.#following = false;
  }

  /** Whether there may be newer events: of a type that the state has no room for nobody tells. */
  #isBehind(one) {
    const row = this.#on.row(one.type);
    return !row || row.key !== (one.followed ?? (one.events[0] ? keyOf(one.events[0]) : ''));
  }

  /** By the time of registration, whatever the order is: what comes late by its source time is new
   * all the same. */
  async #catchUp(behind, asked) {
    const { by } = this.range;
    for (const one of behind) {
      const key = this.#on.row(one.type)?.key ?? '';
      const last = one.events.reduce((last, event) => (last && compareTimes(last, event) >= 0 ? last : event), null);
      try {
        const data = { types: [one.type], from: last?.timestamp ?? stamp(one.loadedAt), to: null, by: 'timestamp', order: 'ascending', limit: NEW_PAGE, after: last?.id ?? null };
        const { events, more } = await this.#on.request('history', data);
        if (this.#asked !== asked) return;
        const known = new Set(one.events.map(keyOf));
        const fresh = events.filter((event) => event[by] && !known.has(keyOf(event)));
        const wasBehind = one.behind;
        one.behind = more;
        // faster than they can be asked for
        const newest = events.at(-1);
        if (more && newest && this.#on.known() - secondsBy(newest, 'timestamp') > LATE) return void this.#load();
        if (fresh.length) {
          const all = [...fresh.reverse(), ...one.events];
          if (by !== 'timestamp') all.sort((a, b) => secondsBy(b, by) - secondsBy(a, by) || compareIds(b.id, a.id));
          keep(one, all);
        }
        if (fresh.length || wasBehind !== more) this.#changed();
        one.followed = more ? undefined : key;
        one.pointer ??= this.#guess(one);
      } catch {
        // it is said at the connection, and asked again when that is back
      }
    }
  }

  #changed() {
    this.#version++;
    this.#on.draw();
  }

  /** The first number of the latest payload. */
  #guess(one) {
    const event = one.events[0] ?? this.#on.row(one.type)?.event;
    return event ? (numbers(valueOf(event))[0] ?? null) : null;
  }

  #drawLegend() {
    const { heading, legend } = this.#part;
    write(heading, this.series.length === 1 ? visibleName(this.series[0].type) : `${this.series.length} types`);
    legend.replaceChildren(...this.series.map((one, i) => this.#legendOf(one, i)));
  }

  #legendOf(one, i) {
    const item = document.createElement('li');
    const mark = document.createElement('span');
    mark.className = `mark line-${i}`;
    const name = document.createElement('span');
    name.className = 'name';
    name.textContent = visibleName(one.type) || '(no subtypes)';
    const label = document.createElement('label');
    label.textContent = 'Member ';
    const field = document.createElement('select');
    field.setAttribute('aria-label', `Number of ${visibleName(one.type)} that is plotted`);
    const known = numbers(valueOf(one.events[0] ?? this.#on.row(one.type)?.event ?? {}));
    if (one.pointer !== null && !known.includes(one.pointer)) known.unshift(one.pointer);
    for (const pointer of known) field.add(new Option(pointer === '' ? 'the payload' : pointer, pointer));
    if (!known.length) field.add(new Option('no number', ''));
    field.disabled = known.length < 2;
    field.value = one.pointer ?? '';
    field.addEventListener('change', () => {
      one.pointer = field.value;
      this.#changed();
      this.#on.changed();
    });
    label.append(field);
    const value = document.createElement('span');
    value.className = 'value';
    value.dataset.series = i;
    item.append(mark, name, label, value);
    if (this.series.length > 1) {
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.className = 'quiet';
      remove.textContent = '✕';
      remove.setAttribute('aria-label', `Take ${visibleName(one.type)} away`);
      remove.addEventListener('click', () => {
        this.show(this.series.filter((other) => other !== one));
        this.focus();
      });
      item.append(remove);
    }
    return item;
  }

  #drawList() {
    const today = new Date();
    const several = this.series.length > 1;
    const rows = this.events.slice(0, this.#listed).map((event) => {
      const row = document.createElement('tr');
      const cell = (text, className, title = '') => {
        const cell = document.createElement('td');
        cell.textContent = text;
        cell.className = className;
        if (title) cell.title = title;
        row.append(cell);
      };
      cell(clock(event.timestamp, today), 'time', exact(event.timestamp));
      cell(event.source_timestamp ? clock(event.source_timestamp, today) : '–', 'time', event.source_timestamp ? exact(event.source_timestamp) : '');
      if (several) cell(visibleName(event.type), 'name');
      cell(brief(event.payload), 'payload');
      return row;
    });
    this.#part.typeHead.hidden = !several;
    this.#part.rows.replaceChildren(...rows);
    const all = this.series.reduce((sum, one) => sum + one.events.length, 0);
    write(this.#part.listed, all > this.#listed ? `The newest ${count(this.#listed)} are listed${this.#listed === MOST_LISTED ? '; choose a time that ends before them for older ones' : ''}.` : '');
  }
}

/** Keeps the newest of `events` that there is room for. */
function keep(one, events) {
  let [end, characters] = [0, 0];
  for (; end < events.length && end < MOST; end++) {
    const { json, binary } = events[end].payload ?? {};
    characters += json?.text.length ?? binary?.data.length ?? 0;
    if (characters > MOST_CHARACTERS) break;
  }
  one.full = end < events.length || end === MOST;
  one.more ||= end < events.length;
  one.events = end < events.length ? events.slice(0, end) : events;
}

/** JSON pointers of the numbers in a value, those that are not deep first; at most 50. */
export function numbers(value) {
  const found = [];
  const level = [['', value]];
  for (let i = 0; i < level.length && i < 500 && found.length < 50; i++) {
    const [pointer, at] = level[i];
    if (typeof at === 'number' || typeof at === 'boolean') found.push(pointer);
    else if (typeof at === 'object' && at !== null) {
      for (const [name, inner] of Object.entries(at)) level.push([`${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, inner]);
    }
  }
  return found;
}

/** The points of a series, oldest first: `[[seconds], [number or null]]`. A payload without the
 * number is a hole, and so is a number beyond the largest. */
export function pointsOf({ events, pointer }, by) {
  const [times, values] = [[], []];
  for (let i = events.length - 1; i >= 0; i--) {
    const time = secondsBy(events[i], by);
    const value = pointer === null ? undefined : member(valueOf(events[i]), pointer);
    const number = typeof value === 'boolean' ? Number(value) : Number.isFinite(value) ? value : null;
    // a plot has one value at a time: the last of them
    if (times.at(-1) === time) values[values.length - 1] = number;
    else {
      times.push(time);
      values.push(number);
    }
  }
  return [times, values];
}

function secondsBy(event, by) {
  const [s, us] = event[by] ?? event.timestamp;
  return s + us / 1e6;
}

function compareTimes(a, b) {
  return a.timestamp[0] - b.timestamp[0] || a.timestamp[1] - b.timestamp[1] || compareIds(a.id, b.id);
}

function compareIds(a, b) {
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

function stamp(seconds) {
  return seconds === null ? null : [Math.floor(seconds), 0];
}

/** Seconds as a field for local time takes them, and back. */
function inputFor(seconds) {
  if (seconds === null) return '';
  const date = new Date(seconds * 1000);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return Number.isNaN(local.getTime()) ? '' : local.toISOString().slice(0, 19);
}

function inputOf(field) {
  const time = field.value ? new Date(field.value).getTime() : NaN;
  return Number.isNaN(time) ? null : time / 1000;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
