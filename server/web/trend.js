// The plot of numbers over time, by uPlot (uPlot.js, MIT), which is fetched when it is first
// needed.
//
// Values are held until the next event, so lines are steps, with a hole where that has no number.
// Zoom: drag, or + and − and the arrows,
// also at the keyboard; a double click shows all.

import { clock } from './format.js';

/** Pixels of a plot, at least and at most, and the part of the drawer that it may take. */
const [LOW, HIGH, PART] = [200, 420, 0.5];

/** Pixels of the letters at the axes; uPlot takes whole ones. */
const FONT = 11;

/** The part of the time that a press of an arrow moves the cursor by, or the window where Shift is
 * held, and what + and − zoom by. */
const STEP = 0.01;
const MOVE = 0.25;
const ZOOM = 0.5;

let loading = null;

export class Trend {
  #plot;
  #readout;
  #on;
  #chart = null;
  #wanted = null;
  #zoom = null;
  #shape = '';
  /** Until when the values of each series hold, in seconds; null where nobody says. */
  #ends = [];
  /** The same of those that have a value there which no event has. */
  #held = [];

  /** `on` has `zoomed(bool)`. */
  constructor({ plot, readout }, on) {
    this.#plot = plot;
    this.#readout = readout;
    this.#on = on;
    plot.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(() => this.#chart && plot.clientWidth && this.#chart.setSize({ width: plot.clientWidth, height: this.#height() })).observe(plot.parentElement);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      // colours are read from the style sheet when a plot is made
      this.#shape = '';
      this.#make();
    });
  }

  /** Plots `[{name, points, until}]` between two times in seconds; null is where they begin or end.
   * The last value of a series is there `until` a time; where that is null, the plot does not say.
   */
  draw(series, from, to) {
    this.#wanted = { series, from, to };
    if (loading) return this.#make();
    loading = import('./uPlot.js').then(({ default: library }) => {
      Trend.library = library;
      this.#make();
    }, () => {
      // the server is away, perhaps: the next time it is asked again
      loading = null;
      this.#readout.textContent = 'The plot cannot be loaded from the server.';
    });
  }

  #height() {
    return Math.round(Math.min(HIGH, Math.max(LOW, PART * this.#plot.parentElement.clientHeight)));
  }

  clear() {
    this.#wanted = null;
    this.#chart?.destroy();
    this.#chart = null;
    this.#shape = '';
  }

  /** Shows all of the time again. */
  reset() {
    this.#setZoom(null);
  }

  #setZoom(zoom) {
    this.#zoom = zoom;
    this.#on.zoomed(zoom !== null);
    this.#scale();
  }

  #make() {
    const library = Trend.library;
    if (!library || !this.#wanted) return;
    const { series } = this.#wanted;
    const tables = series.map(({ points, until }) => heldUntil(points, until));
    this.#ends = series.map(({ until }) => until);
    this.#held = series.map(({ points, until }, i) => (tables[i] === points ? null : until));
    const data = tables.length > 1 ? library.join(tables) : tables[0];
    const shape = series.map(({ name }) => name).join('\n');
    this.#plot.hidden = !tables.some(([, values]) => values.some((value) => value !== null));
    if (this.#plot.hidden) return this.#say(null);
    if (shape !== this.#shape) {
      this.#chart?.destroy();
      this.#shape = shape;
      this.#chart = new library(this.#options(series), data, this.#plot);
      this.#scale();
    } else {
      this.#chart.setData(data, false);
      this.#scale();
    }
    this.#plot.setAttribute('aria-label', `Plot of ${series.map(({ name }) => name).join(', ')}: arrows move the cursor, + and − zoom, 0 shows all.`);
  }

  /** From one end of the time to the other, or what was zoomed to. The values take what there is of
   * them in it. */
  #scale() {
    const chart = this.#chart;
    if (!chart || !this.#wanted) return;
    const [min, max] = this.#zoom ?? this.#all();
    chart.batch(() => chart.setScale('x', { min, max }));
  }

  #all() {
    const times = this.#chart.data[0];
    const { from, to } = this.#wanted;
    const first = from ?? times[0] ?? 0;
    // an event may be ahead of the clock
    const last = Math.max(times.at(-1) ?? first, to ?? first, first);
    return last > first ? [first, last] : [first - 1, first + 1];
  }

  #options(series) {
    const style = getComputedStyle(this.#plot);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, font: `${FONT}px ${style.fontFamily}` };
    const stepped = Trend.library.paths.stepped({ align: 1 });
    return {
      width: this.#plot.clientWidth || 600,
      height: this.#height(),
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { auto: true } },
      axes: [{ ...axis, space: 70, values: (_, times, __, ___, step) => axisTimes(times, step) }, { ...axis, size: 70 }],
      series: [{}, ...series.map(({ name }, i) => ({ label: name, stroke: colour(`--plot-${i}`), width: 1.5, dash: [[], [6, 3], [2, 3], [10, 4, 2, 4], [1, 2], [14, 4]][i], paths: stepped, points: { size: 4, filter: ({ data: [times, ...values] }, i, show) => (show ? eventsAt(times, values[i - 1], this.#held[i - 1]) : null) } }))],
      cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      hooks: {
        setSelect: [(chart) => {
          const { left, width } = chart.select;
          if (width < 3) return;
          this.#setZoom([chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x')]);
          chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        }],
        setCursor: [(chart) => this.#say(chart)],
        ready: [(chart) => chart.over.addEventListener('dblclick', () => this.reset())],
      },
    };
  }

  /** The values at the cursor: each is the last one before it. */
  #say(chart) {
    const left = chart?.cursor.left ?? -1;
    const legend = document.querySelectorAll('#history [data-series]');
    const time = left >= 0 ? chart.posToVal(left, 'x') : null;
    this.#readout.textContent = time === null ? '' : clock([Math.floor(time), Math.floor((time % 1) * 1e6)]);
    for (const element of legend) {
      const i = Number(element.dataset.series);
      const text = time === null || !chart.data[i + 1] ? '' : valueAt(chart.data[0], chart.data[i + 1], time, this.#ends[i]);
      if (element.textContent !== text) element.textContent = text;
    }
  }

  #key(event) {
    const chart = this.#chart;
    if (!chart || event.ctrlKey || event.altKey || event.metaKey) return;
    const { min, max } = chart.scales.x;
    const span = max - min;
    const at = chart.cursor.left >= 0 ? chart.cursor.left : chart.over.clientWidth / 2;
    const middle = chart.posToVal(at, 'x');
    const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (sign && event.shiftKey) this.#setZoom([min + sign * MOVE * span, max + sign * MOVE * span]);
    else if (sign) {
      const width = chart.over.clientWidth;
      chart.setCursor({ left: Math.min(width, Math.max(0, at + sign * STEP * width)), top: chart.over.clientHeight / 2 });
    } else if (event.key === '+' || event.key === '=') this.#setZoom([middle - (middle - min) * ZOOM, middle + (max - middle) * ZOOM]);
    else if (event.key === '-') this.#setZoom([middle - (middle - min) / ZOOM, middle + (max - middle) / ZOOM]);
    else if (event.key === '0') this.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Times at an axis, `step` seconds apart: the day is said where it changes. */
export function axisTimes(times, step) {
  let day = '';
  return times.map((time) => {
    const text = stamp(time);
    const [date, clock] = [text.slice(0, 10), step < 1 ? text.slice(11, 23) : step < 60 ? text.slice(11, 19) : text.slice(11, 16)];
    const label = step >= 86_400 ? date : date === day ? clock : `${clock}\n${date}`;
    day = date;
    return label;
  });
}

/** Local time: `2026-11-28 22:12:24.756`. */
function stamp(time) {
  const date = new Date(time * 1000);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return Number.isNaN(local.getTime()) ? '' : local.toISOString().slice(0, 23).replace('T', ' ');
}

/** Points, and the last value once more at the end of the time, where that is later. */
export function heldUntil(points, until) {
  const [times, values] = points;
  if (!times.length || until === null || until <= times.at(-1)) return points;
  return [[...times, until], [...values, values.at(-1)]];
}

/** Where a series has values of events, and not the one that `heldUntil` added; null where it added
 * none. */
export function eventsAt(times, values, held) {
  const indices = [];
  for (const [i, value] of values.entries()) if (value !== null && value !== undefined && times[i] !== held) indices.push(i);
  return indices;
}

/** The value that held at a time, as text; none where the event before it had no number, nor after
 * what is known. Beyond 2^53 it is not the one that was sent, digit by digit. */
export function valueAt(times, values, time, until = null) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  // another series has an event there
  while (low > 0 && values[low - 1] === undefined) low--;
  const value = values[low - 1] ?? null;
  if (value === null || (until !== null && time > until && time > times[low - 1])) return '–';
  return Math.abs(value) > Number.MAX_SAFE_INTEGER ? `≈ ${value}` : String(value);
}
