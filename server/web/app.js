// The page of `hat serve --web`: puts the parts together. README.md says what the server sends.
//
//     WebSocket ─ juggler.js ─ link.js ──diff──► model.js (patch.js) ──rows──► table.js, details.js
//                                                        └──state──► view.js (chart.js)
//
// Changes are applied when they come; the page is drawn at most once a frame, and twice a second for the ages.

import { Details } from './details.js';
import { Form } from './form.js';
import { addressOf, Link } from './link.js';
import { Model } from './model.js';
import { count } from './format.js';
import { Table } from './table.js';
import { View } from './view.js';

/** Milliseconds between frames where nothing changes but the ages. */
const TICK = 500;

const $ = (id) => document.getElementById(id);

const model = new Model();
const view = new View(document);

let frame = 0;
const draw = () => {
  frame ||= requestAnimationFrame((now) => {
    frame = 0;
    table.draw(now);
    goToRegistered(now);
    if (details.open && model.rows.get(details.row.type) !== details.row) close();
    details.draw(now, model.now());
    view.draw(model, link, now);
    form.draw();
    $('open-register').hidden = Boolean(model.state?.server?.read_only);
    drawCount();
  });
};

const link = new Link(addressOf(location), {
  reset: () => model.reset(),
  state: (diff) => {
    model.apply(diff);
    draw();
  },
  phase: draw,
});

const request = (name, data) => link.request(name, data);

const table = new Table({ grid: $('grid'), head: $('head'), space: $('space') }, model, {
  draw,
  active: (row) => {
    if (row && details.open) open(row);
  },
  open: (row, byKey) => {
    const wasOpen = details.open;
    open(row);
    // the first Enter opens the pane beside the table, the next goes into it; a pane that covers the table is gone into at once
    if ((byKey && wasOpen) || covers()) details.focus();
  },
});

const details = new Details($('details'), { close, request, said: (text) => view.say(text) });

const form = new Form($('register'), {
  request,
  row: (type) => model.rows.get(type),
  ready: () => view.hindrance(model, link),
  now: () => model.now(),
  said: (text) => view.say(text),
  registered: (type, text) => {
    view.say(text);
    registered = { type, until: performance.now() + 3000 };
    draw();
  },
});

/** What the form registered and the table is to go to. The answer may come before the patch that brings the event. */
let registered = null;

function goToRegistered(now) {
  if (!registered) return;
  const found = table.go(registered.type);
  if (found) table.focus();
  if (found || now > registered.until) registered = null;
}

function open(row) {
  details.show(row);
  table.setOpen(row.type);
  document.documentElement.dataset.details = 'open';
  cover();
  draw();
}

/** On a narrow page the details lie over all the rest. */
const covers = () => details.open && getComputedStyle($('details')).position === 'fixed';

/** What is covered cannot be reached by the keyboard either. */
function cover() {
  const inert = covers();
  for (const part of document.querySelectorAll('.bar, .overview, .events')) part.inert = inert;
}

function close() {
  const inside = $('details').contains(document.activeElement);
  details.hide();
  table.setOpen(null);
  delete document.documentElement.dataset.details;
  cover();
  if (inside) table.focus();
  draw();
}

function drawCount() {
  const [shown, all] = [table.shown.length, model.rows.size];
  const text = search.value ? `${count(shown)} of ${count(all)}` : `${count(all)} ${all === 1 ? 'type' : 'types'}`;
  if ($('count').textContent !== text) $('count').textContent = text;
  let empty = '';
  if (!shown) empty = search.value && all ? `No event type matches “${search.value}”.` : model.state ? 'No events yet.' : 'Waiting for the server …';
  if ($('empty').textContent !== empty) $('empty').textContent = empty;
  $('empty').hidden = !empty;
}

const search = $('search');

function find() {
  table.search(search.value.trim());
  // what was searched for is there again after a reload
  history.replaceState(null, '', search.value ? `#${new URLSearchParams({ q: search.value })}` : location.pathname);
}

search.addEventListener('input', find);
search.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'Enter') table.focus();
  else if (event.key === 'Escape' && search.value) {
    search.value = '';
    find();
  } else if (event.key === 'Escape') table.focus();
  else return;
  event.preventDefault();
  event.stopPropagation();
});

$('open-register').addEventListener('click', () => form.open(table.active));
$('retry').addEventListener('click', () => link.now());

document.addEventListener('keydown', (event) => {
  if (form.isOpen || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === 'Escape' && details.open) close();
  else if (event.target.matches('input, textarea, select')) return;
  else if (event.key === '/') search.select();
  else if (event.key === 'r' && !$('open-register').hidden) form.open(table.active);
  else return;
  event.preventDefault();
});

addEventListener('resize', cover);
search.value = new URLSearchParams(location.hash.slice(1)).get('q') ?? '';
if (search.value) table.search(search.value.trim());
setInterval(() => document.hidden || draw(), TICK);
draw();
