// The table of event types: a virtual list.
//
// The grid scrolls an empty box as high as all rows, and in it only as many rows as can be seen. The row of index i is always drawn
// by slot i % slots, so that scrolling by one row fills one slot anew and moves no other.

import { age, brief, clock, exact, visible } from './format.js';
import { finder, order } from './search.js';

/** Rows that are drawn above and below what is visible, so that the next frame of a scroll finds them there. */
const MARGIN = 6;

/** Milliseconds since a change until the mark of it gets quieter, step by step. A transition would cost a frame each 16 ms. */
const HEAT = [[500, 3], [1200, 2], [2200, 1]];

export class Table {
  /** The rows that the search found, in order. */
  shown = [];
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

  /** `on` has `draw()`: a frame is wanted; `active(row)`: it is another one; `open(row, byKey)`. */
  constructor({ grid, head, space }, model, on) {
    this.#grid = grid;
    this.#head = head;
    this.#space = space;
    this.#model = model;
    this.#on = on;
    grid.addEventListener('scroll', () => {
      this.#scrollTop = grid.scrollTop;
      on.draw();
    }, { passive: true });
    new ResizeObserver(() => this.#measure()).observe(grid);
    grid.addEventListener('keydown', (event) => this.#key(event));
    grid.addEventListener('focus', () => {
      if (!this.active && this.shown.length) this.#activate(Math.ceil(this.#scrollTop / this.#rowHeight));
    });
    space.addEventListener('click', (event) => this.#click(event));
    space.addEventListener('pointerover', (event) => this.#hover(event));
  }

  search(query) {
    this.#query = query;
    this.#find();
    this.#grid.scrollTop = this.#scrollTop = 0;
    if (this.active && !this.shown.includes(this.active)) this.#setActive(null);
    this.#on.draw();
  }

  /** Makes the row of a type the active one and shows it; whether there is one. */
  go(type) {
    const index = this.shown.findIndex((row) => row.type === type);
    if (index < 0) return false;
    this.#activate(index);
    return true;
  }

  /** Marks the row that the details are of. */
  setOpen(type) {
    this.#openType = type;
    this.#on.draw();
  }

  focus() {
    this.#grid.focus();
  }

  /** Brings the page up to date with the model. */
  draw(now) {
    if (this.#typesVersion !== this.#model.typesVersion) this.#typesChanged();
    const first = Math.max(0, Math.floor(this.#scrollTop / this.#rowHeight) - MARGIN);
    const wanted = Math.ceil(this.#viewHeight / this.#rowHeight) + 2 * MARGIN;
    this.#provide(wanted);
    const serverNow = this.#model.now();
    const today = new Date();
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
        const cut = Math.max(0, row.type.lastIndexOf('/'));
        slot.path.data = visible(row.type.slice(0, cut));
        slot.leaf.data = visible(row.type.slice(cut)) || '(no subtypes)';
      }
    }
    if (row === null) return;
    if (slot.version !== row.version) {
      slot.version = row.version;
      slot.payload.data = brief(row.event.payload);
      put(slot, 'none', !row.event.payload, (none) => slot.payloadCell.classList.toggle('none', none));
      slot.time.data = clock(row.event.timestamp, today);
    }
    const [s, us] = row.event.timestamp;
    put(slot, 'ageText', age(serverNow - s - us / 1e6), (text) => (slot.age.data = text));
    const since = now - row.changedAt;
    put(slot, 'heat', HEAT.find(([until]) => since < until)?.[1] ?? 0, (heat) => (slot.element.dataset.heat = heat));
    put(slot, 'active', row === this.active, (active) => slot.element.classList.toggle('active', active));
    put(slot, 'open', row.type === this.#openType, (open) => slot.element.setAttribute('aria-selected', open));
  }

  #provide(wanted) {
    if (this.#slots.length >= wanted) return;
    while (this.#slots.length < wanted) {
      const slot = makeSlot(this.#slots.length);
      this.#slots.push(slot);
      this.#space.append(slot.element);
    }
    // which slot draws which row depends on how many there are
    for (const slot of this.#slots) slot.index = -1;
  }

  #typesChanged() {
    this.#typesVersion = this.#model.typesVersion;
    const known = new Set(this.#sorted);
    const kept = this.#sorted.filter((row) => this.#model.rows.get(row.type) === row);
    const added = [...this.#model.rows.values()].filter((row) => !known.has(row)).sort(order);
    this.#sorted = merged(kept, added);
    // what is in view stays where it is when rows come above it
    const top = Math.floor(this.#scrollTop / this.#rowHeight);
    const anchor = this.#scrollTop > 0 ? this.shown[top] : undefined;
    this.#find();
    const index = anchor ? this.shown.indexOf(anchor) : -1;
    if (index >= 0 && index !== top) {
      this.#grid.scrollTop += (index - top) * this.#rowHeight;
      this.#scrollTop = this.#grid.scrollTop;
    }
    if (this.active && this.#model.rows.get(this.active.type) !== this.active) this.#setActive(null);
  }

  #find() {
    this.shown = this.#query ? this.#sorted.filter(finder(this.#query)) : this.#sorted;
    this.#space.style.height = `${this.shown.length * this.#rowHeight}px`;
    this.#grid.setAttribute('aria-rowcount', this.shown.length + 1);
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
    this.#on.draw();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== this.#grid) return;
    const at = this.shown.indexOf(this.active);
    const page = Math.max(1, Math.floor(this.#viewHeight / this.#rowHeight) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.shown.length - 1 }[event.key];
    if (to !== undefined) this.#activate(to);
    else if ((event.key === 'Enter' || event.key === ' ') && this.active) this.#on.open(this.active, true);
    else return;
    event.preventDefault();
  }

  #slotAt(event) {
    const element = event.target.closest('[role=row]');
    return this.#slots.find((slot) => slot.element === element);
  }

  /** The exact time and the whole type, made only where somebody points. */
  #hover(event) {
    const row = this.#slotAt(event)?.row;
    const cell = event.target.closest('.cell');
    if (!row || !cell) return;
    if (cell.matches('.time, .age')) cell.title = exact(row.event.timestamp);
    else if (cell.matches('.type')) cell.title = visible(row.type);
  }

  #click(event) {
    const slot = this.#slotAt(event);
    // whoever marks text wants to copy it
    if (!slot?.row || !getSelection().isCollapsed) return;
    this.#setActive(slot.row);
    this.#on.open(slot.row, false);
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
  const slot = { element, index: -1, row: undefined, version: -1 };
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
  cell('type', part('path'), part('leaf'));
  slot.payloadCell = cell('payload', text('payload'));
  cell('time', text('time'));
  cell('age', text('age'));
  return slot;
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
