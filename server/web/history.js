// The drawer with what has been: the events of one type or of several over a time, and the plot of
// their numbers. series.js has the events.
//
// While it is not paused and the time is not over, what is new is asked for when the latest event
// of a type is another one.

import { brief, clock, count, counted, exact, visibleName } from './format.js';
import { isUnknown, member, valueOf } from './search.js';
import { compareIds, secondsBy, Series } from './series.js';
import { Trend } from './trend.js';

/** Rows of the list that are in the document, until somebody asks for more, and at the most: each
 * is made anew with every event that comes. The plot and the files have all. */
const LISTED = 200;
const MOST_LISTED = 1000;

/** Series that can be told apart by their colours. */
export const MOST_SERIES = 6;

/** Milliseconds between two requests for what is new. */
const FOLLOW = 1000;

/** The times to choose from, in seconds; `all` goes back as far as the server keeps events. */
export const SPANS = { '15m': 900, '1h': 3600, '6h': 21_600, '1d': 86_400, '7d': 604_800, '30d': 2_592_000 };

export class History {
  /** Each a `Series`, in the order of the plot. */
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
  /** Until when the page knew all when it was last drawn and not paused, and until when the values
   * of each series hold. */
  #known = null;
  #ends = null;
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
    span.addEventListener('change', () => this.setRange({ ...this.range, span: span.value, ...(span.value === 'range' ? this.#asRange() : {}) }));
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
    this.series = series.slice(0, MOST_SERIES).map((one) => this.#seriesOf(one));
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

  /** There is a connection again: what was not to be had without one is asked for. */
  reconnected() {
    if (!this.open || this.loading) return;
    for (const one of this.series) one.problem = '';
    this.#changed();
    const missing = this.series.filter((one) => !one.loaded);
    if (missing.length) this.#pages(missing);
  }

  /** Brings the drawer up to date; called whenever the page is drawn. */
  draw(now) {
    if (!this.open) return;
    this.#restarted();
    this.#follow(now);
    this.#drawTrend();
    const follows = !this.paused && this.series.some((one) => one.isOpen);
    const stale = follows && this.#on.stale();
    const drawn = `${this.#version} ${this.#listed} ${this.paused} ${follows} ${stale} ${new Date().getDate()} ${this.#on.started() ?? this.#started}`;
    if (this.#drawn === drawn) return;
    this.#drawer.dataset.follows = follows;
    this.#drawn = drawn;
    this.#drawLegend();
    this.#drawList();
    write(this.#part.state, this.loading ? 'Asking the server …' : this.#state(stale));
    this.#part.state.classList.toggle('wrong', this.series.some((one) => one.problem));
    this.#part.older.hidden = this.loading || !this.series.some((one) => one.more && !one.full);
  }

  /** What is here, and what is not. */
  #state(stale) {
    const { series } = this;
    const missing = series.find((one) => !one.loaded && one.problem);
    if (missing) return missing.problem;
    const known = series.reduce((sum, one) => sum + one.events.length, 0);
    const cut = series.reduce((sum, one) => sum + one.events.reduce((sum, event) => sum + isUnknown(event), 0), 0);
    // texts of the server are sentences
    const reason = (name) => series.find((one) => one[name])?.[name].replace(/\.$/, '');
    const [problem, lost] = [reason('problem'), reason('lost')];
    let text = counted(known, 'event');
    if (series.some((one) => one.more && one.full)) text += ': the newest of a type, for which there is room here; choose a shorter time for others';
    else if (series.some((one) => one.more)) text += '; the server has older ones in this time';
    else if (series.some((one) => one.gone)) text += '; the server has no older ones in this time any more';
    if (!this.paused && series.some((one) => one.behind)) text += '; newer ones are on their way';
    if (stale) text += `; what came after ${clock([Math.floor(this.#on.known()), 0]).replace(/\.000$/, '')} is not known`;
    if (series.some((one) => one.unkept)) text += '; the server does not keep the latest one, which is not here';
    if (cut) text += `; ${counted(cut, 'payload')} ${cut === 1 ? 'is' : 'are'} too long, and not in the plot`;
    if (this.paused && this.#on.started() !== this.#started) text += '; these are from before the server was started again';
    if (problem) text += `; older ones cannot be loaded: ${problem}`;
    if (!this.paused && !stale && lost) text += `; what is new cannot be loaded: ${lost}`;
    return text;
  }

  /** By the time of registration, a value holds until the next one, and to where it is known that
   * there is none: what is old does not look like now. */
  #drawTrend() {
    const [from, to] = this.#limits();
    const { by } = this.range;
    if (!this.paused || !this.#ends) {
      this.#known = this.#on.known();
      const end = (until) => (until === null || to === null ? until : Math.min(until, to));
      this.#ends = this.series.map((one) => (by === 'timestamp' ? end(one.until()) : null));
    }
    const last = to ?? (by === 'timestamp' ? this.#known : null);
    const step = Math.max(1, ((last ?? this.#known) - (from ?? this.#known)) / 600);
    const coarse = [last, ...this.#ends].map((time) => time && Math.floor(time / step));
    const drawn = `${this.#version} ${coarse}`;
    if (this.#trendDrawn === drawn) return;
    this.#trendDrawn = drawn;
    const series = this.series.map((one, i) => ({ name: `${visibleName(one.type)} ${one.pointer ?? ''}`.trim(), points: pointsOf(one, by), until: this.#ends[i] }));
    this.#trend.draw(series, from, last);
  }

  /** All events that are here, newest first, each with its type. */
  get events() {
    const by = this.range.by;
    const all = this.series.flatMap(({ type, events }) => events.map((event) => ({ ...event, type })));
    return all.sort((a, b) => secondsBy(b, by) - secondsBy(a, by) || compareIds(b.id, a.id));
  }

  /** The time that is shown, in seconds; null for 'no limit'. */
  #limits() {
    const { span, from, to } = this.range;
    if (span === 'range') return [from, to];
    if (span === 'all') return [null, null];
    return [this.#on.now() - SPANS[span], null];
  }

  /** What a range begins as: the time that is shown. */
  #asRange() {
    const now = Math.floor(this.#on.now());
    const [from] = this.#limits();
    return { from: Math.floor(from ?? now - 3600), to: now };
  }

  /** A server that was started again may have kept less than is here: all is asked for anew. What
   * is paused stays, and says so. */
  #restarted() {
    const started = this.#on.started();
    if (started === undefined || started === this.#started) return;
    if (this.#started !== undefined && !this.paused && !this.loading) this.#load();
  }

  #seriesOf(one) {
    return new Series(one, { by: this.range.by, limits: () => this.#limits() }, this.#on);
  }

  #load() {
    this.#started = this.#on.started();
    this.#ends = null;
    this.series = this.series.map((one) => this.#seriesOf(one));
    return this.#pages(this.series);
  }

  async #older() {
    if (!(await this.#pages(this.series.filter((one) => one.more && !one.full)))) return;
    this.#listed = Math.min(this.#listed + LISTED, MOST_LISTED);
    this.#changed();
  }

  /** Asks for the next page of each of these; whether they are still what is shown then. */
  async #pages(series) {
    const asked = ++this.#asked;
    this.loading = true;
    this.#changed();
    await Promise.all(series.map((one) => one.page()));
    if (this.#asked !== asked) return false;
    this.loading = false;
    // also of what is paused: it is of now
    this.#ends = null;
    for (const one of this.series) one.pointer ??= this.#guess(one);
    this.#changed();
    this.#on.changed();
    return true;
  }

  /** What came since, where there may be something. */
  async #follow(now) {
    const wait = this.series.some((one) => one.behind) ? 0 : FOLLOW;
    if (this.paused || this.loading || this.#following || now < this.#followedAt + wait) return;
    const { series } = this;
    const behind = series.filter((one) => one.loaded && one.isOpen && (one.isBehind || one.lost));
    if (!behind.length) return;
    this.#followedAt = now;
    this.#following = true;
    for (const one of behind) {
      const became = await one.follow();
      // another time, or other types
      if (this.series !== series) break;
      if (became === 'late') {
        this.#load();
        break;
      }
      one.pointer ??= this.#guess(one);
      if (became === 'changed') this.#changed();
    }
    this.#following = false;
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
        this.show(this.series.filter((other) => other.type !== one.type));
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
