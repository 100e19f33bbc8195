// The page of `hat serve --web`: puts the parts together. README.md says what the server sends.
//
//     WebSocket ─ juggler.js ─ link.js ──diff──► model.js (patch.js) ──rows──► table.js, …
//                                 │                      └──state──► view.js (chart.js)
//                                 ├──events, as they come──► stream.js ──rows──► table.js
//                                 └──requests── history.js (trend.js, uPlot.js), form.js, …
//
// Changes are applied when they come; the page is drawn at most once a frame, and twice a second
// for the ages.

import { Details } from './details.js';
import { csv, jsonLines, save } from './export.js';
import { Finding, noneTested } from './finding.js';
import { Form } from './form.js';
import { History, MOST_SERIES, SPANS } from './history.js';
import { addressOf, Link } from './link.js';
import { Model } from './model.js';
import { clock, count, counted } from './format.js';
import * as place from './place.js';
import { Rules } from './rules.js';
import { RulesForm } from './rules_form.js';
import { changes, hint, NONE_LIKE_THAT, parse } from './search.js';
import { Following, MOST as MOST_STREAMED, Stream } from './stream.js';
import { Table } from './table.js';
import { View } from './view.js';

/** Milliseconds between frames where nothing changes but the ages. */
const TICK = 500;

/** Rows of a file: what a browser writes in a second or two. */
const MOST_EXPORTED = 200_000;

const $ = (id) => document.getElementById(id);

const rules = new Rules();
const model = new Model({ changed: (row) => rules.changed(row), gone: (row) => rules.gone(row) });
const stream = new Stream();
const view = new View(document);

let frame = 0;
const draw = () => {
  frame ||= requestAnimationFrame((now) => {
    frame = 0;
    for (const part of parts) {
      // what one part cannot show, an event that it fails at, keeps no other from saying how old
      // all of it is
      try {
        part(now);
      } catch (error) {
        console.error(error);
      }
    }
  });
};

/** What is drawn, each on its own; first of all whether it is live. */
const parts = [
  (now) => view.draw(model, link, now),
  () => form.draw(),
  () => {
    // the state had room for all types when somebody wrote the search, or has it by now
    if (model.state && askedOfServer(search.value.trim()) !== finding.query) find();
  },
  (now) => table.draw(now),
  goToRegistered,
  (now) => {
    followDetails();
    details.draw(now, model.now());
  },
  (now) => history.draw(now),
  () => view.drawMarks(rules.some || table.onlyMarked ? rules.counts(model.now()) : null),
  () => ($('open-register').hidden = Boolean(model.state?.server?.read_only)),
  drawCount,
  drawStream,
];

const link = new Link(addressOf(location), {
  reset: () => model.reset(),
  state: (diff) => {
    model.apply(diff);
    draw();
  },
  notify: (name, data) => {
    if (name === 'events') stream.take(data);
    draw();
  },
  // not at once: the first comes while the link is made
  phase: () => queueMicrotask(() => {
    if (link.phase === 'live') {
      following.follow();
      history.reconnected();
    } else following.ended();
    draw();
  }),
  progress: draw,
});

const request = (name, data) => link.request(name, data);

const table = new Table({ grid: $('grid'), head: $('head'), space: $('space') }, model, stream, {
  draw,
  said: (text) => view.say(text),
  active: (row) => {
    if (row && !row.group && details.open) open(row);
  },
  open: (row, byKey) => {
    const wasOpen = details.open;
    open(row);
    // the first Enter opens the pane beside the table, the next goes into it; a pane that covers
    // the table is gone into at once
    if ((byKey && wasOpen) || covers()) details.focus();
  },
});

const details = new Details($('details'), {
  close,
  request,
  said: (text) => view.say(text),
  history: (type) => showHistory([{ type }]),
  add: (type) => addToHistory(type),
});

const history = new History($('history'), {
  request,
  row: (type) => model.rows.get(type),
  now: () => model.now(),
  known: () => model.now() - Math.max(0, performance.now() - model.heardAt) / 1000,
  started: () => model.state?.server?.started,
  stale: () => document.documentElement.dataset.stale === 'true',
  changed: remember,
  close: closeHistory,
  draw,
});

const finding = new Finding({
  request,
  row: (type) => model.rows.get(type),
  ready: () => link.phase === 'live' && !document.hidden,
  found: (rows) => table.setFound(rows),
  draw,
});

const following = new Following(stream, {
  request,
  wanted: () => (table.mode === 'stream' && !document.hidden ? search.value : null),
  shown: () => table.mode === 'stream',
  ready: () => link.phase === 'live',
  now: () => model.now(),
  said: (text) => view.say(text),
  draw,
});

const form = new Form($('register'), {
  request,
  ready: () => view.hindrance(model, link),
  now: () => model.now(),
  said: (text) => view.say(text),
  registered: (type, text) => {
    view.say(text);
    registered = { type, until: performance.now() + 3000 };
    draw();
  },
});

const rulesForm = new RulesForm($('rules'), rules, { rows: () => model.rows, changed: draw, loaded });

/** Says where no rule holds, though somebody has written some. */
function loaded(problem) {
  if (problem) view.say(`The rules that this browser keeps cannot be read, and none of them holds: ${problem}`);
  draw();
}

/** What the form registered and the table is to go to. The answer may come before the patch that
 * brings the event. */
let registered = null;

function goToRegistered(now) {
  if (!registered) return;
  const found = table.go(registered.type);
  if (found) table.focus();
  if (found || now > registered.until) registered = null;
}

function open(row) {
  details.show(row);
  table.setOpen(row);
  document.documentElement.dataset.details = 'open';
  cover();
  remember();
  draw();
}

/** On a narrow page the details, and the history, lie over all the rest. */
const covers = () => details.open && getComputedStyle($('details')).position === 'fixed';
const historyCovers = () => history.open && getComputedStyle($('history')).position === 'fixed';

/** What is covered cannot be reached by the keyboard either. */
function cover() {
  const byHistory = historyCovers();
  const inert = covers() || byHistory;
  for (const part of document.querySelectorAll('.bar, .overview, .events')) part.inert = inert;
  $('details').inert = byHistory;
}

function close() {
  const inside = $('details').contains(document.activeElement);
  details.hide();
  table.setOpen(null);
  delete document.documentElement.dataset.details;
  cover();
  if (inside) table.focus();
  remember();
  draw();
}

/** The details are of a row that goes on to be filled with what is new, or they close. */
function followDetails() {
  if (!details.open || details.row.fixed) return;
  const row = table.rowOf(details.row.type);
  if (row) details.show(row);
  else if (!finding.asking) close();
}

function showHistory(series, range) {
  document.documentElement.dataset.history = 'open';
  history.show(series, range);
  cover();
  history.focus();
  draw();
}

function addToHistory(type) {
  if (!history.open) return showHistory([{ type }]);
  if (history.add(type)) view.say('Added to the plot.');
  else view.say(history.series.some((one) => one.type === type) ? 'It is in the plot.' : `A plot has at most ${MOST_SERIES} types.`);
}

function closeHistory() {
  history.hide();
  delete document.documentElement.dataset.history;
  cover();
  if (details.open) details.focus();
  else table.focus();
  remember();
  draw();
}

function drawCount() {
  const [shown, all] = [table.shown.length, model.rows.size];
  const { types_cut: cut = 0, max_types: most } = model.state?.server ?? {};
  const query = search.value.trim();
  let text = '';
  if (table.mode === 'stream') text = counted(shown, 'event');
  else if (untested()) text = `${count(shown)} of ${count(table.named)} looked at`;
  else if (table.found) text = `${count(shown)} of ${count(finding.found)} found among ${count(finding.searched)}`;
  else if (table.mode === 'tree') text = query ? `${count(table.matching)} of ${count(all)}` : counted(all, 'type');
  else text = query ? `${count(shown)} of ${count(all)}` : counted(all, 'type');
  write($('count'), text);
  let missing = '';
  if (cut > 0) missing = `${count(cut)} of ${counted(cut + all, 'type')} ${cut === 1 ? 'is not in this table: there is no room for it' : 'are not in this table: there is no room for them'}. A search asks the server${rules.some ? ', and no rule looks at them' : ''}.`;
  else if (most && all >= most) missing = most === 1 ? 'The server keeps one type, the one that changed last.' : `The server keeps ${count(most)} types, those that changed last.`;
  if (table.unknown) missing = `${missing} ${count(table.unknown)} ${table.unknown === 1 ? 'payload is' : 'payloads are'} too long for this table: no condition looks at ${table.unknown === 1 ? 'it' : 'them'}.`.trim();
  if (table.ahead) missing = `${missing} ${count(table.ahead)} ${table.ahead === 1 ? 'event is' : 'events are'} ahead of the server’s clock: nobody knows how old ${table.ahead === 1 ? 'it is' : 'they are'}.`.trim();
  if (untested()) missing = `${missing} The conditions were tested on ${count(table.named)} of ${finding.found === 1 ? 'the one type whose name matches' : `the ${count(finding.found)} types whose names match`}: search for fewer types.`.trim();
  if (finding.problem) missing = `The server cannot be asked for the types that are missing here: ${finding.problem}`;
  if (table.mode === 'stream') missing = missedByStream();
  write($('missing'), missing);
  $('missing').hidden = !missing;
  let empty = '';
  if (!shown && table.mode === 'stream') empty = emptyStream(query);
  else if (!shown && finding.asking) empty = 'Asking the server …';
  else if (!shown && table.onlyMarked && all) empty = `No rule marks a type${query ? ` that matches “${query}”` : ''}.`;
  else if (!shown && untested()) empty = noneTested(table.named, untested(), query);
  else if (!shown && query && finding.problem) empty = `No event type in this table matches “${query}”.`;
  else if (!shown && query && all) empty = `No event type matches “${query}”. ${hintFor(query)}`;
  else if (!shown) empty = model.state ? 'No events yet.' : loading();
  write($('empty'), empty);
  $('empty').hidden = !empty;
}

/** Types whose names match, and on which nobody tested the conditions: the server gives the events
 * of some, and they are not in the state. */
function untested() {
  return table.found && changes(search.value) ? Math.max(0, finding.found - table.named) : 0;
}

/** Why there is nothing in the stream: told is not all that there was, as `missing` says. */
function emptyStream(query) {
  if (link.phase !== 'live') return 'Waiting for the server …';
  const { problem } = parse(query);
  if (problem) return problem;
  if (following.problem) return notTold();
  if (!following.isTold) return 'Asking the server …';
  return query ? `No event that matches “${query}” has been told since it was searched for.` : 'Events appear here when they are registered.';
}

const notTold = () => `The server does not tell of these events: ${following.problem}`;

/** What the stream does not have, of what came since it was opened. */
function missedByStream() {
  const { missed, interrupted, dropped, widened } = stream;
  const texts = [missed ? `${counted(missed, 'event')} came too fast to be shown: search for fewer types.` : ''];
  if (following.problem && stream.rows.length) texts.push(notTold());
  if (interrupted) texts.push(`The stream was interrupted ${interrupted === 1 ? 'once' : `${count(interrupted)} times`}, while the page was hidden or had no connection: what came then is not here.`);
  if (widened !== null) texts.push(`What came before ${clock([Math.ceil(widened), 0]).replace(/\.000$/, '')} is here only where an earlier search found it.`);
  if (dropped) texts.push(`The newest ${count(MOST_STREAMED)} events are here: ${counted(dropped, 'older one')} made room.`);
  return texts.filter(Boolean).join(' ');
}

/** How far the first state is. */
function loading() {
  if (!link.progress) return 'Waiting for the server …';
  return `Loading … ${(link.progress / 2 ** 20).toFixed(1)} MiB`;
}

let hinted = { key: '', text: '' };
function hintFor(query) {
  const key = `${query}\n${model.typesVersion}`;
  if (table.named && changes(query)) return NONE_LIKE_THAT;
  if (hinted.key !== key) hinted = { key, text: hint(query, table.all) };
  return hinted.text;
}

function drawStream(now) {
  const isStream = table.mode === 'stream';
  $('stream-tools').hidden = !isStream;
  if (!isStream) return;
  const rate = stream.rate(now);
  write($('stream-rate'), `${rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1)} events/s`);
  const waiting = stream.waiting.length;
  write($('stream-pause'), stream.paused ? `Go on${waiting ? ` (${count(waiting)} new)` : ''}` : 'Pause');
  $('stream-pause').setAttribute('aria-pressed', stream.paused);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const search = $('search');

function find() {
  const query = search.value.trim();
  const { problem } = parse(query);
  search.setAttribute('aria-invalid', Boolean(problem));
  search.title = problem ?? '';
  table.search(query);
  stream.search(query, () => model.now());
  finding.ask(askedOfServer(query));
  following.follow();
  remember();
}

/** What of a search the server is to answer: it knows types that are not in the state. */
function askedOfServer(query) {
  return table.mode !== 'stream' && model.state?.server?.types_cut > 0 ? query : '';
}

document.addEventListener('visibilitychange', () => following.follow());

/** Shows one of the views. */
function show(mode) {
  for (const button of document.querySelectorAll('button[data-mode]')) button.setAttribute('aria-pressed', button.dataset.mode === mode);
  document.documentElement.dataset.mode = mode;
  if (table.mode === mode) return;
  if (mode === 'stream') {
    stream.clear();
    following.opened();
  }
  if (details.open) close();
  table.show(mode);
  find();
}

for (const button of document.querySelectorAll('button[data-mode]')) button.addEventListener('click', () => show(button.dataset.mode));
$('stream-pause').addEventListener('click', () => {
  stream.pause(!stream.paused);
  draw();
});
$('head').addEventListener('click', remember);

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

/** What is looked at is there again after a reload, and can be sent to somebody. */
function remember() {
  const type = details.open && !details.row.fixed ? details.row.type : null;
  const history_ = history.series.map(({ type, pointer }) => ({ type, pointer }));
  const hash = place.written({ q: search.value, view: table.mode, sorting: table.sorting, type, history: history_, range: history.range });
  if (hash !== location.hash) globalThis.history.replaceState(null, '', hash || location.pathname);
}

/** Goes where the address says. A type that is not there yet is gone to when it comes. */
function go() {
  const there = place.read(location.hash);
  search.value = there.q;
  show(there.view);
  table.sort(there.sorting);
  table.search(there.q.trim());
  wanted = there.type;
  const range = there.range.span in SPANS || ['all', 'range'].includes(there.range.span) ? there.range : { ...there.range, span: '1h' };
  if (there.history.length) wantedHistory = { series: there.history, range };
}

let wanted = null;
let wantedHistory = null;

function goToWanted() {
  if (!model.state) return;
  if (wantedHistory) showHistory(wantedHistory.series, wantedHistory.range);
  if (wanted !== null && model.rows.has(wanted)) {
    table.go(wanted);
    open(model.rows.get(wanted));
  }
  if (search.value) find();
  [wanted, wantedHistory] = [null, null];
}

/** What is shown: the stream, the history, or the latest of the types that were found. */
function shownEvents() {
  const rows = table.mode === 'tree' ? table.matchingRows : table.shown;
  return rows.map((row) => ({ ...row.event, type: row.type }));
}

function exported(events, kind) {
  const cut = events.length > MOST_EXPORTED;
  const some = cut ? events.slice(0, MOST_EXPORTED) : events;
  const name = `events-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-')}`;
  if (kind === 'csv') save(`${name}.csv`, 'text/csv;charset=utf-8', csv(some));
  else save(`${name}.jsonl`, 'application/jsonl', jsonLines(some));
  const payloads = some.filter(({ payload }) => (payload?.json ?? payload?.binary)?.truncated).length;
  let text = `${count(some.length)} of ${counted(events.length, 'event')} in ${name}.${kind}.`;
  if (payloads) text += payloads === 1 ? ' One payload is cut short, and marked so.' : ` ${count(payloads)} payloads are cut short, and marked so.`;
  view.say(text);
}

for (const button of document.querySelectorAll('[data-export]')) {
  button.addEventListener('click', () => exported(button.closest('#history') ? history.events : shownEvents(), button.dataset.export));
}

$('open-register').addEventListener('click', () => form.open(table.active?.group ? null : table.active));
$('open-rules').addEventListener('click', () => rulesForm.open());
$('alarms').addEventListener('click', () => {
  if (table.mode === 'stream') show('latest');
  table.marked(!table.onlyMarked);
  $('alarms').setAttribute('aria-pressed', table.onlyMarked);
});
$('retry').addEventListener('click', () => link.now());

document.addEventListener('keydown', (event) => {
  if (form.isOpen || rulesForm.isOpen || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === 'Escape' && history.open && (history.element.contains(event.target) || !details.open)) closeHistory();
  else if (event.key === 'Escape' && details.open) close();
  else if (event.target.matches('input, textarea, select')) return;
  else if (event.key === '/') search.select();
  else if (event.key === 'r' && !$('open-register').hidden) form.open(table.active?.group ? null : table.active);
  else if (event.key === 'h' && table.active && !table.active.group) showHistory([{ type: table.active.type }]);
  else if (event.key === 'p' && table.mode === 'stream') $('stream-pause').click();
  else if (['1', '2', '3'].includes(event.key)) show(['latest', 'tree', 'stream'][Number(event.key) - 1]);
  else return;
  event.preventDefault();
});

addEventListener('resize', cover);
addEventListener('hashchange', () => {
  go();
  goToWanted();
  // no search at all is another one, too
  if (model.state && !search.value) find();
});
loaded(rulesForm.load());
go();
const waiting = setInterval(() => {
  // once the first state is there
  if (!model.state) return;
  clearInterval(waiting);
  draw();
  requestAnimationFrame(() => requestAnimationFrame(goToWanted));
}, 50);
setInterval(() => document.hidden || draw(), TICK);
draw();
