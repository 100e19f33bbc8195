// The event rate of the last minutes: one path of SVG, which scales to any width, and takes its
// colours from the style sheet.

import { clock, count } from './format.js';

/** The viewBox: one unit of width a second, whatever the height. */
const HEIGHT = 100;

export class Chart {
  #svg;
  #line;
  #area;
  #cursor;
  #top;
  #readout;
  #values = [];
  #at = 0;
  #limit = 0;
  #pointer = null;

  constructor({ svg, top, readout }) {
    this.#svg = svg;
    this.#top = top;
    this.#readout = readout;
    this.#area = shape('path', 'area');
    this.#line = shape('path', 'line');
    this.#cursor = shape('path', 'cursor');
    svg.append(this.#area, this.#line, this.#cursor);
    svg.addEventListener('pointermove', (event) => this.#point(event));
    svg.addEventListener('pointerleave', () => this.#leave());
  }

  /** Draws the state's `rate`. */
  draw(rate) {
    this.#values = ordered(rate);
    this.#at = rate?.at ?? 0;
    const values = this.#values;
    const known = values.filter((value) => value !== null);
    this.#limit = scale(Math.max(1, ...known), this.#limit);
    this.#svg.setAttribute('viewBox', `0 0 ${Math.max(1, values.length - 1)} ${HEIGHT}`);
    const start = values.findIndex((value) => value !== null);
    if (start < 0 || values.length < 2) {
      this.#line.removeAttribute('d');
      this.#area.removeAttribute('d');
    } else {
      const points = [];
      for (let i = start; i < values.length; i++) points.push(`${i} ${this.#y(values[i] ?? 0)}`);
      const line = `M${points.join('L')}`;
      this.#line.setAttribute('d', line);
      this.#area.setAttribute('d', `${line}V${HEIGHT}H${start}Z`);
    }
    this.#top.textContent = `${count(this.#limit)} /s`;
    const last = values.at(-1) ?? 0;
    const most = known.length ? Math.max(...known) : 0;
    this.#svg.setAttribute('aria-label', `Events a second in the last ${Math.round(values.length / 60)} minutes: now ${last}, at most ${most}.`);
    this.#draw();
  }

  /** The events of the newest second, or null. */
  get last() {
    return this.#values.at(-1) ?? null;
  }

  #y(value) {
    return (HEIGHT * (1 - value / this.#limit)).toFixed(1);
  }

  #point(event) {
    const { left, width } = this.#svg.getBoundingClientRect();
    this.#pointer = Math.min(1, Math.max(0, (event.clientX - left) / width));
    this.#draw();
  }

  #leave() {
    this.#pointer = null;
    this.#draw();
  }

  #draw() {
    const i = this.#pointer === null ? -1 : Math.round(this.#pointer * (this.#values.length - 1));
    const value = this.#values[i];
    if (value === undefined || value === null) {
      this.#cursor.removeAttribute('d');
      this.#readout.textContent = '';
      return;
    }
    this.#cursor.setAttribute('d', `M${i} 0V${HEIGHT}`);
    const second = this.#at - (this.#values.length - 1 - i);
    this.#readout.textContent = `${clock([second, 0]).replace(/\.000$/, '')}  ${count(value)} /s`;
  }
}

/** The seconds of the ring in order, oldest first. */
export function ordered(rate) {
  const counts = rate?.counts ?? [];
  const next = counts.length ? (rate.at + 1) % counts.length : 0;
  return [...counts.slice(next), ...counts.slice(0, next)];
}

/** The top of the axis: a round number. It grows when it must and shrinks only when half of it is
 * empty, so that it rests. */
export function scale(most, before) {
  if (most <= before && most > before * 0.4) return before;
  const power = 10 ** Math.max(1, Math.floor(Math.log10(most)));
  return [0.2, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15].find((factor) => factor * power >= most * 1.05) * power;
}

function shape(name, className) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  element.setAttribute('class', className);
  return element;
}
