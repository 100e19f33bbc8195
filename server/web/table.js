// The table: a virtual list of the latest event of each type, of the tree of types, or of all
// events as they come.
//
// The grid scrolls an empty box as high as all rows, and in it only as many rows as can be seen.
// The row of index i is always drawn by slot i % slots, so that scrolling by one row fills one slot
// anew and moves no other.

import { age, brief, clock, count as grouped, exact, secondsOf, visibleName } from './format.js';
import { Names } from './names.js';
import { isStale, isUnsure } from './rules.js';
import { changes, finder, isUnknown, namesFinder, order } from './search.js';

/** Rows that are drawn above and below what is visible, so that the next frame of a scroll finds
 * them there. */
const MARGIN = 6;

/** Milliseconds since a change until the mark of it gets quieter, step by step. A transition would
 * cost a frame each 16 ms. */
const HEAT = [[500, 3], [1200, 2], [2200, 1]];

/** The part of all rows that is marked at once, at the most. */
const MARKED = 0.2;

/** Milliseconds from one sorting of rows that change to the next, and how many times what it took
 * it rests. */
const SORT_INTERVAL = 1000;
const SORT_REST = 10;

/** Milliseconds for which rows keep their places since the pointer last moved over them: who points
 * at one hits it. Where it moves on and on they are sorted all the same, after the longer time. */
const HOLD = 1000;
const LONGEST_HOLD = 5000;

/** Milliseconds in which nobody has seen that another row is where the pointer is: a click then was
 * meant for the one before. */
const UNSEEN = 400;

/** Pixels of a level of the tree. */
const INDENT = 18;

/** What a column sorts by; texts grow, times begin with the newest. */
const COLUMNS = {
  type: null,
  payload: (row) => sortedPayload(row),
  time: (row) => secondsOf(row.event.timestamp),
  age: (row) => -secondsOf(row.event.timestamp),
};

export class Table {
  /** The rows that the search found, in order. In the tree also `{group, name, depth, open, count}`
   * for what has types below it. */
  shown = [];
  /** 'latest', 'tree' or 'stream'. */
  mode = 'latest';
  /** `{column, descending}`. */
  sorting = { column: 'type', descending: false };
  /** Only rows that a rule marks. */
  onlyMarked = false;
  /** The types that match, of which the tree shows those in what is open. */
  matchingRows = [];
  /** What the server found, where the state does not hold all types: rows by type, of which those
   * of the model are its own. */
  found = null;
  /** Types that match by their names, and of whose payloads nobody knows: only the beginning is
   * here. And those of whose ages nobody knows: they are ahead of the server's clock. */
  unknown = 0;
  ahead = 0;
  /** Types whose names match, of those whose events are here. */
  named = 0;
  /** The row that the keyboard is at, or null. */
  active = null;

  #grid;
  #space;
  #head;
  #on;
  #model;
  #sorted = [];
  #typesVersion = -1;
  #query = '';
  #slots = [];
  #rowHeight = 30;
  #viewHeight = 0;
  #scrollTop = 0;
  #openType = null;
  #names = null;
  /** What somebody has opened, and the only one at the top where somebody has closed it. */
  #open = new Set();
  #root = null;
  #finds = null;
  #mayFind = null;
  #byName = null;
  #stream;
  #streamVersion = -1;
  #foundAt = -Infinity;
  #findTook = 0;
  #chars = Infinity;
  #charWidth = 0;
  #cooling = 1;
  /** Until when rows keep their places, since when they do, and where the pointer is. */
  #heldUntil = -Infinity;
  #heldSince = -Infinity;
  #pointer = '';
  /** Rows came or went meanwhile, and are not among what is shown. */
  #waits = false;
  /** When rows last moved by themselves, and the first index that shows another one. */
  #shifted = { at: -Infinity, from: Infinity };
  /** What the pointer went down on, `{row, seen}`. */
  #pressed = null;

  /** `on` has `draw()`: a frame is wanted; `active(row)`: it is another one; `open(row, byKey)`;
   * `said(text)`: say it to the user. */
  constructor({ grid, head, space }, model, stream, on) {
    this.#grid = grid;
    this.#head = head;
    this.#space = space;
    this.#model = model;
    this.#stream = stream;
    this.#on = on;
    head.addEventListener('click', (event) => this.#sortBy(event.target.closest('[data-column]')?.dataset.column));
    grid.addEventListener('scroll', () => {
      this.#scrollTop = grid.scrollTop;
      on.draw();
    }, { passive: true });
    new ResizeObserver(() => this.#measure()).observe(grid);
    grid.addEventListener('keydown', (event) => this.#key(event));
    grid.addEventListener('focus', () => {
      if (!this.active && this.shown.length) this.#activate(Math.ceil(this.#scrollTop / this.#rowHeight));
    });
    space.addEventListener('pointermove', (event) => this.#point(event));
    space.addEventListener('pointerdown', (event) => this.#press(event));
    space.addEventListener('click', (event) => this.#click(event));
    space.addEventListener('pointerover', (event) => this.#hover(event));
  }

  /** All types by their subtypes, built where somebody needs them. */
  get names() {
    if (!this.#names) {
      this.#names = new Names();
      for (const row of this.#sorted) this.#names.add(row.parts);
    }
    return this.#names;
  }

  /** Shows something else. */
  show(mode) {
    if (this.mode === mode) return;
    this.mode = mode;
    this.#setActive(null);
    this.#grid.setAttribute('role', mode === 'tree' ? 'treegrid' : 'grid');
    this.#grid.scrollTop = this.#scrollTop = 0;
    this.#find();
    this.#on.draw();
  }

  /** Sorts by a column; the same once more the other way round. */
  sort(sorting) {
    this.sorting = sorting;
    for (const cell of this.#head.querySelectorAll('[role=columnheader]')) {
      const by = cell.querySelector('[data-column]').dataset.column === sorting.column && this.mode === 'latest';
      if (by) cell.setAttribute('aria-sort', sorting.descending ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    }
    this.#find();
    this.#on.draw();
  }

  #sortBy(column) {
    if (!column || this.mode !== 'latest') return;
    const same = this.sorting.column === column;
    this.sort({ column, descending: same ? !this.sorting.descending : column === 'time' });
  }

  /** All rows that there are, before a search. */
  get all() {
    return this.#sorted;
  }

  get matching() {
    return this.matchingRows.length;
  }

  /** Shows only rows that a rule marks, or all again. */
  marked(only) {
    this.onlyMarked = only;
    this.#find();
    this.#on.draw();
  }

  search(query) {
    this.#query = query;
    this.#finds = query ? finder(query, () => this.#model.now()) : null;
    this.#mayFind = query && changes(query) ? finder(query, () => this.#model.now(), true) : null;
    this.#byName = query ? namesFinder(query) : null;
    this.found = null;
    this.#find();
    this.#grid.scrollTop = this.#scrollTop = 0;
    if (this.active && !this.shown.includes(this.active)) this.#setActive(null);
    this.#on.draw();
  }

  /** Makes the row of a type the active one and shows it; whether there is one. */
  go(type) {
    const index = this.shown.findIndex((row) => !row.group && row.type === type);
    if (index < 0) return false;
    this.#activate(index);
    return true;
  }

  /** Marks the row that the details are of. */
  setOpen(row) {
    this.#openType = row && (row.fixed ? row.key : row.type);
    this.#on.draw();
  }

  focus() {
    this.#grid.focus();
  }

  /** Brings the page up to date with the model. */
  draw(now) {
    if (this.#typesVersion !== this.#model.typesVersion) this.#typesChanged();
    if (!this.#isHeld()) this.#moveRows(now);
    const first = Math.max(0, Math.floor(this.#scrollTop / this.#rowHeight) - MARGIN);
    const wanted = Math.ceil(this.#viewHeight / this.#rowHeight) + 2 * MARGIN;
    this.#provide(wanted);
    const serverNow = this.#model.now();
    const today = new Date();
    // where most rows change all the time, only the newest are marked: a mark on each says nothing
    const [rate, there] = this.mode === 'stream' ? [this.#stream.rate(now), this.#slots.length] : [this.#model.changeRate(now), this.shown.length];
    this.#cooling = Math.min(1, (MARKED * there) / Math.max(1, rate) / (HEAT.at(-1)[0] / 1000));
    if (this.mode !== 'stream') this.#cooling = Math.max(0.1, this.#cooling);
    let active = null;
    // all of them, also those that are left from when the page was higher
    for (let i = first; i < first + this.#slots.length; i++) {
      const slot = this.#slots[i % this.#slots.length];
      this.#fill(slot, i, this.shown[i] ?? null, now, serverNow, today);
      if (slot.row && slot.row === this.active) active = slot.element.id;
    }
    if (active) this.#grid.setAttribute('aria-activedescendant', active);
    else this.#grid.removeAttribute('aria-activedescendant');
  }

  #fill(slot, index, row, now, serverNow, today) {
    if (slot.index !== index) {
      slot.index = index;
      slot.element.style.transform = `translateY(${index * this.#rowHeight}px)`;
      slot.element.setAttribute('aria-rowindex', index + 2);
    }
    if (slot.row !== row) {
      slot.row = row;
      slot.version = -1;
      slot.element.hidden = row === null;
      if (row) {
        if (row.group) this.#fillGroup(slot, row);
        else this.#fillName(slot, row);
        slot.element.classList.toggle('group', Boolean(row.group));
      }
    }
    if (row === null) return;
    put(slot, 'active', row === this.active, (active) => slot.element.classList.toggle('active', active));
    if (row.group) return;
    // the time of an event that stays has its day from midnight on
    const day = today.getDate();
    if (slot.version !== row.version || slot.day !== day) {
      [slot.version, slot.day] = [row.version, day];
      slot.payload.data = brief(row.event.payload);
      put(slot, 'none', !row.event.payload, (none) => slot.payloadCell.classList.toggle('none', none));
      slot.time.data = clock(row.event.timestamp, today);
    }
    put(slot, 'ageText', age(serverNow - secondsOf(row.event.timestamp)), (text) => (slot.age.data = text));
    const since = now - row.changedAt;
    put(slot, 'heat', HEAT.find(([until]) => since < until * this.#cooling)?.[1] ?? 0, (heat) => (slot.element.dataset.heat = heat));
    put(slot, 'alarm', row.alarm !== undefined, (alarm) => slot.element.classList.toggle('is-alarm', alarm));
    put(slot, 'stale', !row.fixed && isStale(row, serverNow), (stale) => slot.element.classList.toggle('is-stale', stale));
    put(slot, 'unsure', !row.fixed && isUnsure(row, serverNow), (unsure) => slot.element.classList.toggle('is-unsure', unsure));
    put(slot, 'open', (row.fixed ? row.key : row.type) === this.#openType, (open) => slot.element.setAttribute('aria-selected', open));
  }

  /** The name in the room that there is: cut where it is like its neighbours'. */
  #fillName(slot, row) {
    const inTree = this.mode === 'tree';
    const shown = inTree ? row.parts.at(-1) ?? '' : this.#chars < row.type.length ? this.names.fit(row.parts, this.#chars) : row.type;
    const cut = Math.max(0, inTree ? 0 : shown.lastIndexOf('/'));
    slot.path.data = visibleName(shown.slice(0, cut));
    slot.leaf.data = visibleName(shown.slice(cut)) || '(no subtypes)';
    const depth = inTree ? row.parts.length : 0;
    slot.element.style.setProperty('--indent', `${depth * INDENT}px`);
    this.#fillWhole(slot, shown === row.type ? '' : visibleName(row.type));
    slot.element.removeAttribute('aria-expanded');
    if (inTree) slot.element.setAttribute('aria-level', depth + 1);
    else slot.element.removeAttribute('aria-level');
  }

  /** The whole name for who hears the page, where not all of it is seen. */
  #fillWhole(slot, text) {
    slot.whole.data = text;
    for (const part of [slot.path, slot.leaf]) part.parentElement.ariaHidden = text ? 'true' : null;
  }

  #fillGroup(slot, { name, depth, open, count }) {
    slot.path.data = open ? '▾ ' : '▸ ';
    slot.leaf.data = visibleName(name) || '(empty)';
    slot.element.style.setProperty('--indent', `${depth * INDENT}px`);
    this.#fillWhole(slot, '');
    slot.payload.data = `${grouped(count)} ${count === 1 ? 'type' : 'types'}`;
    slot.time.data = slot.age.data = '';
    slot.ageText = slot.heat = slot.none = slot.alarm = slot.stale = slot.unsure = undefined;
    slot.element.dataset.heat = 0;
    slot.element.classList.remove('is-alarm', 'is-stale', 'is-unsure');
    slot.payloadCell.classList.add('none');
    slot.element.setAttribute('aria-selected', false);
    slot.open = false;
    slot.element.setAttribute('aria-expanded', open);
    slot.element.setAttribute('aria-level', depth + 1);
  }

  /** What is shown depends on more than which types there are. */
  #isMoving() {
    return this.onlyMarked || this.sorting.column !== 'type' || (this.#query && changes(this.#query));
  }

  /** Shows what came and went since the last time, in its order. Whoever has scrolled down keeps
   * what is in view. */
  #moveRows(now) {
    const streams = this.mode === 'stream';
    const due = now - this.#foundAt > Math.max(SORT_INTERVAL, SORT_REST * this.#findTook);
    if (streams ? this.#streamVersion === this.#stream.version : !this.#waits && !(due && this.#isMoving())) return;
    this.#streamVersion = this.#stream.version;
    const before = this.shown;
    const top = Math.floor(this.#scrollTop / this.#rowHeight);
    this.#keepPlace(() => this.#find());
    // what was in view, where it is now
    const by = Math.floor(this.#scrollTop / this.#rowHeight) - top;
    for (let i = top; i <= top + this.#viewHeight / this.#rowHeight && i < before.length; i++) {
      if (before[i] === this.shown[i + by] || (before[i].group && before[i].group === this.shown[i + by]?.group)) continue;
      this.#shifted = { at: performance.now(), from: i + by };
      break;
    }
    // whoever points all the time sees what is new, and then has time to point at it
    this.#heldSince = performance.now();
  }

  /** Somebody points at a row: all of them keep their places, and go on to be filled with what is
   * new. An empty table has none to keep. */
  #isHeld() {
    const now = performance.now();
    return this.shown.length > 0 && now < this.#heldUntil && now - this.#heldSince < LONGEST_HOLD;
  }

  #hold() {
    const now = performance.now();
    if (now >= this.#heldUntil) this.#heldSince = now;
    this.#heldUntil = now + HOLD;
  }

  #provide(wanted) {
    if (this.#slots.length >= wanted) return;
    while (this.#slots.length < wanted) {
      const slot = makeSlot(this.#slots.length);
      this.#slots.push(slot);
      this.#space.append(slot.element);
    }
    this.#measureNames();
    // which slot draws which row depends on how many there are
    for (const slot of this.#slots) slot.index = -1;
  }

  #typesChanged() {
    this.#typesVersion = this.#model.typesVersion;
    const known = new Set(this.#sorted);
    const kept = this.#sorted.filter((row) => this.#model.rows.get(row.type) === row);
    const added = [...this.#model.rows.values()].filter((row) => !known.has(row)).sort(order);
    if (this.#names) {
      if (kept.length < this.#sorted.length) {
        for (const row of this.#sorted) if (this.#model.rows.get(row.type) !== row) this.#names.remove(row.parts);
      }
      for (const row of added) this.#names.add(row.parts);
    }
    this.#sorted = merged(kept, added);
    this.#waits = true;
    this.#followActive();
  }

  /** The row of a type: the state's, or what the server found. */
  rowOf(type) {
    return this.#model.rows.get(type) ?? this.found?.get(type);
  }

  /** The active row is one that goes on to be filled with what is new. */
  #followActive() {
    const { active } = this;
    if (!active || active.fixed || active.group) return;
    const row = this.rowOf(active.type);
    if (!row) this.#setActive(null);
    else this.active = row;
  }

  /** What is in view stays where it is when rows come above it. */
  #keepPlace(change) {
    const top = Math.floor(this.#scrollTop / this.#rowHeight);
    const anchor = this.#scrollTop > 0 ? this.shown[top] : undefined;
    change();
    const index = anchor ? this.shown.indexOf(anchor) : -1;
    if (index >= 0 && index !== top) {
      this.#grid.scrollTop += (index - top) * this.#rowHeight;
      this.#scrollTop = this.#grid.scrollTop;
    }
  }

  /** Shows what the server found for the search. */
  setFound(rows) {
    this.found = rows;
    this.#waits = true;
    this.#followActive();
    this.#on.draw();
  }

  #find() {
    const start = performance.now();
    this.#waits = false;
    if (this.mode === 'stream') this.shown = this.#stream.rows;
    else {
      // what the server found besides what is in the state
      const others = this.found ? [...this.found.values()].filter((row) => !this.#model.rows.has(row.type)) : [];
      const rows = merged(this.#sorted, others.sort(order));
      this.shown = this.#finds ? rows.filter(this.#finds) : rows;
      const maybe = this.#mayFind ? rows.filter((row) => this.#mayFind(row) && !this.#finds(row)) : [];
      this.unknown = maybe.reduce((sum, row) => sum + isUnknown(row.event), 0);
      this.ahead = maybe.length - this.unknown;
      this.named = this.found && this.#byName ? rows.reduce((sum, row) => sum + this.#byName(row), 0) : 0;
      const now = this.#model.now();
      if (this.onlyMarked) this.shown = this.shown.filter((row) => row.alarm !== undefined || isStale(row, now) || isUnsure(row, now));
      this.matchingRows = this.shown;
      if (this.mode === 'tree') this.shown = this.#tree(this.shown);
      else if (this.sorting.column !== 'type') this.shown = sortedBy(this.shown, this.sorting);
      else if (this.sorting.descending) this.shown = [...this.shown].reverse();
    }
    this.#foundAt = performance.now();
    this.#findTook = this.#foundAt - start;
    this.#space.style.height = `${this.shown.length * this.#rowHeight}px`;
    this.#grid.setAttribute('aria-rowcount', this.shown.length + 1);
  }

  /** Sorted rows as a tree, with what is open of it. Of a search with few rows all is open. */
  #tree(rows) {
    const out = [];
    const all = this.#finds && rows.length <= 200;
    const above = [];
    let closed = Infinity;
    // what all have in common says nothing: it is open until somebody closes it
    const [first, last] = [rows[0]?.parts[0], rows.at(-1)?.parts[0]];
    this.#root = first !== undefined && first === last ? JSON.stringify([first]) : null;
    for (const [i, row] of rows.entries()) {
      const groups = row.parts.slice(0, -1);
      // a type that has others below it is both
      const next = rows[i + 1];
      if (next && next.parts.length > row.parts.length && row.parts.every((name, at) => next.parts[at] === name)) groups.push(row.parts.at(-1));
      let same = 0;
      while (same < groups.length && same < above.length && above[same].name === groups[same]) same++;
      above.length = same;
      if (closed >= same) closed = Infinity;
      while (above.length < groups.length) {
        const depth = above.length;
        const path = JSON.stringify(groups.slice(0, depth + 1));
        const group = { group: path, name: groups[depth], depth, open: all || this.#isOpen(path), count: 0 };
        if (closed === Infinity) {
          out.push(group);
          if (!group.open) closed = depth;
        }
        above.push(group);
      }
      for (const group of above) group.count++;
      if (closed === Infinity) out.push(row);
    }
    return out;
  }

  #isOpen(path) {
    return this.#open.has(path) !== (path === this.#root);
  }

  /** Opens or closes a part of the tree. */
  #toggle(group, open) {
    if (open !== (group.group === this.#root)) this.#open.add(group.group);
    else this.#open.delete(group.group);
    this.#find();
    const index = this.shown.findIndex((row) => row.group === group.group);
    if (index >= 0) this.#activate(index);
    for (const slot of this.#slots) slot.row = undefined;
    this.#on.draw();
  }

  #measure() {
    this.#viewHeight = this.#grid.clientHeight - this.#head.offsetHeight;
    // the style sheet says how high a row is: it depends on the width of the page
    const height = parseFloat(getComputedStyle(this.#space).lineHeight);
    if (height > 0 && height !== this.#rowHeight) {
      const top = this.#scrollTop / this.#rowHeight;
      this.#rowHeight = height;
      this.#space.style.height = `${this.shown.length * height}px`;
      this.#grid.scrollTop = this.#scrollTop = top * height;
      for (const slot of this.#slots) slot.index = -1;
    }
    this.#measureNames();
    this.#on.draw();
  }

  /** How many characters of a type there is room for. */
  #measureNames() {
    const slot = this.#slots[0];
    const width = slot?.typeCell.clientWidth;
    if (!width) return;
    if (!this.#charWidth) {
      const ruler = document.createElement('canvas').getContext('2d');
      const { fontSize, fontFamily } = getComputedStyle(slot.typeCell);
      ruler.font = `${fontSize} ${fontFamily}`;
      this.#charWidth = ruler.measureText('0'.repeat(50)).width / 50;
    }
    const chars = Math.max(8, Math.floor(width / this.#charWidth));
    if (chars === this.#chars) return;
    this.#chars = chars;
    for (const slot of this.#slots) slot.row = undefined;
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== this.#grid) return;
    const at = this.shown.indexOf(this.active);
    const page = Math.max(1, Math.floor(this.#viewHeight / this.#rowHeight) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.shown.length - 1 }[event.key];
    const { active } = this;
    if (to !== undefined) this.#activate(to);
    else if (event.key === 'ArrowRight' && active?.group && !active.open) this.#toggle(active, true);
    else if (event.key === 'ArrowLeft' && active?.group && active.open) this.#toggle(active, false);
    else if (event.key === 'ArrowLeft' && this.mode === 'tree' && active) this.#activateParent(at);
    else if ((event.key === 'Enter' || event.key === ' ') && active?.group) this.#toggle(active, !active.open);
    else if ((event.key === 'Enter' || event.key === ' ') && this.active) this.#on.open(this.active, true);
    else return;
    event.preventDefault();
  }

  #activateParent(at) {
    const depth = (row) => (row.group ? row.depth : row.parts.length - 1 + (row.parts.length ? 0 : 1));
    for (let i = at - 1; i >= 0; i--) if (this.shown[i].group && depth(this.shown[i]) < depth(this.shown[at])) return this.#activate(i);
  }

  #slotAt(event) {
    const element = event.target.closest('[role=row]');
    return this.#slots.find((slot) => slot.element === element);
  }

  /** The exact time and the whole type, made only where somebody points. */
  #hover(event) {
    const row = this.#slotAt(event)?.row;
    const cell = event.target.closest('.cell');
    if (!row || row.group || !cell) return;
    if (cell.matches('.time, .age')) cell.title = exact(row.event.timestamp);
    else if (cell.matches('.type')) cell.title = visibleName(row.type);
  }

  /** The pointer moves, and not the rows below it. */
  #point({ clientX, clientY }) {
    const at = `${clientX} ${clientY}`;
    if (this.#pointer === at) return;
    this.#pointer = at;
    this.#hold();
  }

  #press(event) {
    const slot = this.#slotAt(event);
    const { at, from } = this.#shifted;
    this.#pressed = slot?.row ? { row: slot.row, seen: slot.index < from || performance.now() - at > UNSEEN } : null;
    this.#hold();
  }

  /** Opens what the pointer went down on, where that is what could be seen there. */
  #click(event) {
    const row = event.detail === 0 ? this.#slotAt(event)?.row : this.#pressed?.row;
    // whoever marks text wants to copy it
    if (!row || !getSelection().isCollapsed) return;
    if (event.detail > 0 && !this.#pressed.seen) return this.#on.said('The rows moved just now, and none was chosen: click again.');
    this.#setActive(row);
    if (row.group) this.#toggle(row, !row.open);
    else this.#on.open(row, false);
  }

  #activate(index) {
    if (this.shown.length === 0) return;
    index = Math.min(Math.max(index, 0), this.shown.length - 1);
    const [top, bottom] = [index * this.#rowHeight, (index + 1) * this.#rowHeight - this.#viewHeight];
    if (this.#grid.scrollTop > top) this.#grid.scrollTop = top;
    else if (this.#grid.scrollTop < bottom) this.#grid.scrollTop = bottom;
    this.#scrollTop = this.#grid.scrollTop;
    this.#setActive(this.shown[index]);
  }

  #setActive(row) {
    if (this.active === row) return;
    this.active = row;
    this.#on.active(row);
    this.#on.draw();
  }
}

function put(slot, name, value, write) {
  if (slot[name] === value) return;
  slot[name] = value;
  write(value);
}

function makeSlot(number) {
  const element = document.createElement('div');
  element.className = 'row';
  element.id = `row-${number}`;
  element.setAttribute('role', 'row');
  const slot = { element, index: -1, row: undefined, version: -1, day: 0 };
  const cell = (name, ...children) => {
    const cell = document.createElement('div');
    cell.className = `cell ${name}`;
    cell.setAttribute('role', 'gridcell');
    cell.append(...children);
    element.append(cell);
    return cell;
  };
  const text = (name) => (slot[name] = document.createTextNode(''));
  const part = (name) => {
    const part = document.createElement('span');
    part.className = name;
    part.append(text(name));
    return part;
  };
  slot.typeCell = cell('type', part('path'), part('leaf'), part('whole'));
  slot.payloadCell = cell('payload', text('payload'));
  cell('time', text('time'));
  cell('age', text('age'));
  return slot;
}

/** Rows by a column, and what is the same there by type. */
function sortedBy(rows, { column, descending }) {
  const key = COLUMNS[column];
  const keyed = rows.map((row, i) => ({ row, i, key: key(row) }));
  const sign = descending ? -1 : 1;
  keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : a.i - b.i));
  return keyed.map(({ row }) => row);
}

/** Numbers by their value, before texts. */
function sortedPayload({ event: { payload } }) {
  const text = payload?.json?.text ?? (payload?.binary ? `~${payload.binary.type}` : '');
  const number = text === '' ? NaN : Number(text);
  if (Number.isNaN(number)) return `~${text.slice(0, 64)}`;
  // as text that sorts as the number does
  const [view] = [new DataView(new ArrayBuffer(8))];
  view.setFloat64(0, number);
  const bits = view.getBigUint64(0);
  return BigInt.asUintN(64, number < 0 || Object.is(number, -0) ? ~bits : bits | (1n << 63n)).toString(16).padStart(16, '0');
}

/** Two sorted lists as one. */
function merged(left, right) {
  if (right.length === 0) return left;
  const all = [];
  let i = 0;
  for (const row of right) {
    while (i < left.length && order(left[i], row) < 0) all.push(left[i++]);
    all.push(row);
  }
  while (i < left.length) all.push(left[i++]);
  return all;
}
