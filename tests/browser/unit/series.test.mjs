// The events of a type over a time, with a store that forgets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Series } from '../../../server/web/series.js';

const seconds = ([s, us]) => s + us / 1e6;
const compare = (a, b) => a[0] - b[0] || a[1] - b[1];

/** A server with one type: what it keeps, and what it answers as the stores do. */
class Server {
  now = 1000;
  kept = [];
  requests = [];
  fault = null;
  row = undefined;
  #instance = 0;

  /** Registers an event, as the page is told; the store may not take it. */
  register(at = this.now, { isKept = true, source = null } = {}) {
    const event = { id: [1, 1, ++this.#instance], timestamp: [Math.floor(at), Math.round((at % 1) * 1e6)], source_timestamp: source && [source, 0], payload: null };
    if (isKept) this.kept.push(event);
    this.row = { key: `${event.id}@${event.timestamp}`, event };
    return event;
  }

  forget(count) {
    this.kept.splice(0, count);
  }

  async request(name, { from, to, by, order, limit, after }) {
    this.requests.push({ from, to, after });
    if (this.fault) throw new Error(this.fault);
    const isIn = (event) => event[by] && !(from && compare(event[by], from) < 0) && !(to && compare(event[by], to) > 0);
    const sorted = this.kept.filter(isIn).sort((a, b) => compare(a[by], b[by]) || a.id[2] - b.id[2]);
    if (order === 'descending') sorted.reverse();
    let start = 0;
    if (after) {
      start = sorted.findIndex(({ id }) => String(id) === String(after)) + 1;
      // as with the deployed server
      if (!start) return { events: [], more: false };
    }
    const events = sorted.slice(start, start + limit);
    return { events, more: start + limit < sorted.length };
  }

  series({ by = 'timestamp', from = null, to = null } = {}) {
    return new Series({ type: 'a' }, { by, limits: () => [from, to] }, {
      request: (...asked) => this.request(...asked),
      row: () => this.row,
      now: () => this.now,
      known: () => this.now,
    });
  }
}

const instances = ({ events }) => events.map(({ id }) => id[2]);

test('what is new is followed also where the newest known event has left the store', async () => {
  const server = new Server();
  server.register();
  const series = server.series();
  await series.page();
  assert.deepEqual([instances(series), series.isBehind, series.until()], [[1], false, 1000]);
  server.now = 1200;
  assert.equal(series.until(), 1200);
  server.forget(1);
  server.register();
  // nobody has asked since
  assert.deepEqual([series.isBehind, series.until()], [true, 1000]);
  assert.equal(await series.follow(), 'changed');
  assert.deepEqual([instances(series), series.isBehind, series.until()], [[2, 1], false, 1200]);
  server.now = 1201;
  server.register();
  assert.equal(await series.follow(), 'changed');
  assert.deepEqual(instances(series), [3, 2, 1]);
});

test('many events of one moment are all followed, though the newest known one is gone', async () => {
  const server = new Server();
  server.register(1000);
  const series = server.series();
  await series.page();
  // a clock that was set back gives all of them the same time
  for (let n = 0; n < 5000; n++) server.register(1000);
  for (let n = 0; n < 10 && series.isBehind; n++) await series.follow();
  assert.deepEqual([series.events.length, series.behind], [5001, false]);
  server.kept = server.kept.filter((event) => event !== series.events[0]);
  server.register(1000);
  await series.follow();
  assert.deepEqual([series.events.length, instances(series)[0]], [5002, 5002]);
});

test('older events are there though the oldest known one has left the store, or it is said that they are gone', async () => {
  const server = new Server();
  // an order by which the store does not forget
  for (let n = 1; n <= 1200; n++) server.register(1000 + n, { source: 5000 - n });
  const series = server.series({ by: 'source_timestamp' });
  await series.page();
  assert.deepEqual([series.events.length, series.more], [500, true]);
  const [first] = server.kept.splice(499, 1);
  assert.equal(first, series.events.at(-1));
  await series.page();
  assert.deepEqual([series.events.length, instances(series).at(-1), series.more, series.gone], [1000, 1000, true, false]);
  server.kept = [];
  await series.page();
  assert.deepEqual([series.events.length, series.more, series.gone], [1000, false, true]);
});

test('a question that failed does not end anything', async () => {
  const server = new Server();
  for (let n = 1; n <= 600; n++) server.register(n);
  const series = server.series();
  server.fault = 'There is no connection to the server.';
  await series.page();
  assert.deepEqual([series.loaded, series.problem, series.until()], [false, server.fault, null]);
  server.fault = null;
  await series.page();
  assert.deepEqual([series.loaded, series.problem, series.events.length], [true, '', 500]);
  server.fault = 'busy';
  await series.page();
  assert.deepEqual([series.problem, series.more], ['busy', true]);
  server.now = 1100;
  server.register();
  assert.equal(await series.follow(), 'changed');
  assert.deepEqual([series.lost, series.isBehind, series.until()], ['busy', true, 1000]);
  assert.equal(await series.follow(), null);
  server.fault = null;
  assert.equal(await series.follow(), 'changed');
  assert.deepEqual([series.lost, series.until(), instances(series)[0]], ['', 1100, 601]);
  await series.page();
  assert.deepEqual([series.problem, series.events.length, series.more], ['', 601, false]);
});

test('a range that ends in the future is followed up to its end', async () => {
  const server = new Server();
  server.register(900);
  const series = server.series({ from: 800, to: 1500 });
  await series.page();
  assert.deepEqual([series.isOpen, instances(series)], [true, [1]]);
  server.now = 1400;
  server.register();
  await series.follow();
  assert.deepEqual([instances(series), series.until()], [[2, 1], 1400]);
  // nobody was there when it ended
  server.register(1500);
  server.now = 1600;
  server.register();
  assert.ok(series.isOpen && series.isBehind);
  await series.follow();
  assert.deepEqual([instances(series), series.isOpen, series.unkept], [[3, 2, 1], false, false]);
  const past = server.series({ from: 800, to: 1500 });
  await past.page();
  assert.deepEqual([instances(past), past.isOpen], [[3, 2, 1], false]);
});

test('by the source time, what comes is looked at by that', async () => {
  const server = new Server();
  server.register(1000, { source: 900 });
  const series = server.series({ by: 'source_timestamp', from: 800, to: 1500 });
  await series.page();
  server.now = 1010;
  for (const source of [700, 850, 1600, null]) server.register(1010, { source });
  await series.follow();
  assert.deepEqual([instances(series), series.unkept, series.isBehind], [[1, 3], false, false]);
});

test('a latest event that the server does not keep ends what is known', async () => {
  const server = new Server();
  server.register(1000);
  const series = server.series();
  await series.page();
  server.now = 1050;
  server.register(1050, { isKept: false });
  server.now = 1060;
  assert.equal(await series.follow(), 'changed');
  assert.deepEqual([series.unkept, series.until(), series.isBehind], [1050, 1050, false]);
  server.register();
  await series.follow();
  assert.deepEqual([series.unkept, series.until(), instances(series)], [false, 1060, [3, 1]]);
  // one of before the time that is shown is no such event
  const later = server.series({ from: 1100 });
  server.now = 1200;
  await later.page();
  await later.follow();
  assert.deepEqual([later.unkept, later.until()], [false, 1200]);
});

test('events that come faster than they can be asked for are asked for anew', async () => {
  const server = new Server();
  server.register(1000);
  const series = server.series();
  await series.page();
  for (let n = 0; n < 4000; n++) server.register(1000 + n / 100);
  server.now = 1005;
  assert.equal(await series.follow(), 'changed');
  assert.ok(series.behind);
  assert.equal(series.until(), seconds(series.events[0].timestamp));
  server.now = 1080;
  server.kept = server.kept.slice(0, 1);
  for (let n = 0; n < 4000; n++) server.register(1030 + n / 100);
  assert.equal(await series.follow(), 'late');
});

test('by the source time, what does not belong to the time is gone past, however much it is', async () => {
  const server = new Server();
  server.register(1000, { source: 900 });
  for (let n = 0; n < 4500; n++) server.register(1000 + n / 10, { source: n % 2 ? null : 100 });
  server.now = 2000;
  const series = server.series({ by: 'source_timestamp', from: 800, to: 5000 });
  await series.page();
  assert.deepEqual([instances(series), series.isBehind], [[1], true]);
  for (let n = 0; n < 3; n++) assert.notEqual(await series.follow(), 'late');
  assert.deepEqual([instances(series), series.isBehind, series.behind, server.requests.length], [[1], false, false, 4]);
  server.now = 2010;
  server.register(2010, { source: 2005 });
  await series.follow();
  assert.deepEqual([instances(series), server.requests.length], [[4502, 1], 5]);
  // the place to go on from has left the store, and there are as many of its moment
  for (let n = 0; n < 2500; n++) server.register(2010);
  for (let n = 0; n < 2; n++) await series.follow();
  server.kept.pop();
  server.register(2010, { source: 2006 });
  await series.follow();
  assert.deepEqual([instances(series), series.isBehind, series.behind], [[7003, 4502, 1], false, false]);
});

test('by the source time, what is new is not lost behind an older page', async () => {
  const server = new Server();
  for (let n = 1; n <= 600; n++) server.register(1000, { source: n });
  server.now = 1010;
  const series = server.series({ by: 'source_timestamp' });
  await series.page();
  server.register(1010, { source: 601 });
  server.register(1011, { source: 0.5 });
  await series.page();
  assert.deepEqual([series.events.length, instances(series)[0]], [601, 600]);
  await series.follow();
  assert.deepEqual([series.events.length, instances(series)[0]], [602, 601]);
});
