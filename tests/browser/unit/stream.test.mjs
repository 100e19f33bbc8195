// The stream of events, and what the server is asked to tell of.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Following, Stream } from '../../../server/web/stream.js';

const json = (value) => ({ json: { text: JSON.stringify(value), size: 1 } });
const event = (payload = null, timestamp = [1000, 0]) => ({ id: [1, 1, 1], timestamp, source_timestamp: null, payload });
const instances = (rows) => rows.map(({ event }) => event.id[2]);

// the mock timers of Node 18 are another, early version
const skip = process.versions.node.startsWith('18.') && 'needs the mock timers of Node 20';

test('the stream says how many events made room, also while it is paused', () => {
  const stream = new Stream();
  const told = (from, count) => stream.take({ events: Array.from({ length: count }, (_, n) => ({ ...event(null), type: 'a', id: [1, 1, from + n] })), missed: 0 });
  told(1, 5000);
  assert.deepEqual([stream.rows.length, stream.dropped], [5000, 0]);
  stream.pause(true);
  told(5001, 3000);
  told(8001, 2500);
  assert.deepEqual([stream.waiting.length, stream.dropped], [5000, 500]);
  stream.pause(false);
  assert.deepEqual([stream.rows.length, stream.rows[0].event.id[2], stream.dropped], [5000, 10_500, 5500]);
  stream.clear();
  assert.equal(stream.dropped, 0);
});

test('the stream is newest first, waits while it is paused, and says what it missed', () => {
  const stream = new Stream();
  const told = (n, type = 'a') => ({ ...event(json(n)), type, id: [1, 1, n] });
  stream.take({ events: [told(1), told(2)], missed: 0 }, 1000);
  assert.deepEqual(stream.rows.map(({ event }) => String(event.id)), ['1,1,2', '1,1,1']);
  stream.pause(true);
  stream.take({ events: [told(3)], missed: 4 }, 2000);
  assert.deepEqual([stream.rows.length, stream.waiting.length, stream.missed], [2, 1, 4]);
  assert.equal(stream.rate(2000), 7 / 3);
  stream.pause(false);
  assert.deepEqual(stream.rows.map(({ event }) => String(event.id)), ['1,1,3', '1,1,2', '1,1,1']);
  assert.equal(stream.interrupted, 0);
  stream.interrupt();
  assert.equal(stream.interrupted, 1);
  stream.search('payload > 1', () => 3);
  assert.equal(stream.rows.length, 2);
  stream.take({ events: [told(0), told(9)], missed: 0 }, 2500);
  assert.deepEqual(stream.rows.map(({ event }) => String(event.id)), ['1,1,9', '1,1,3', '1,1,2']);
  stream.clear();
  assert.equal(stream.interrupted, 0);
  // the page says that nothing has come: then it must know
  stream.interrupt();
  assert.equal(stream.interrupted, 1);
});

test('what is typed letter by letter loses nothing, nor what waits', () => {
  const stream = new Stream();
  const told = (n, type, value) => stream.take({ events: [{ ...event(json({ value })), type, id: [1, 1, n] }], missed: 0 });
  const seen = (query) => (stream.search(query, () => 1060), [instances(stream.rows), instances(stream.waiting)]);
  seen('pump');
  told(1, 'pump', 3);
  told(2, 'pump', 9);
  // of before another search
  told(3, 'valve', 9);
  stream.pause(true);
  told(4, 'pump', 1);
  told(5, 'pump', 7);
  assert.deepEqual([instances(stream.rows), instances(stream.waiting)], [[2, 1], [5, 4]]);
  for (const query of ['pump /', 'pump /value', 'pump /value >', 'age > x']) assert.deepEqual(seen(query), [[], []]);
  assert.deepEqual(seen('pump /value > 5'), [[2], [5]]);
  told(6, 'pump', 2);
  assert.deepEqual(seen('pump'), [[2, 1], [6, 5, 4]]);
  assert.deepEqual(seen(''), [[3, 2, 1], [6, 5, 4]]);
  stream.pause(false);
  assert.deepEqual(seen('/value > 5'), [[5, 3, 2], []]);
  assert.equal(stream.widened, null);
});

test('where events that a search did not find made room, another search says until when', () => {
  const stream = new Stream();
  const told = (from, count) => stream.take({ events: Array.from({ length: count }, (_, n) => ({ ...event(json(0), [from + n, 0]), type: 'a', id: [1, 1, from + n] })), missed: 0 });
  stream.search('payload > 5', () => 0);
  told(1, 3000);
  told(3001, 3000);
  stream.search('payload > 5 b', () => 0);
  assert.equal(stream.widened, null);
  stream.search('', () => 0);
  assert.deepEqual([stream.widened, stream.rows.length, stream.dropped], [1000, 5000, 0]);
  stream.clear();
  assert.equal(stream.widened, null);
});

/** What a stream shows and a server is asked for; the answers are given one by one. */
function following() {
  const stream = new Stream();
  const at = { query: '', shown: true, live: true, now: 10 };
  const [asked, said] = [[], []];
  const one = new Following(stream, {
    request: (_, { any }) => new Promise((resolve, reject) => asked.push({ words: any?.[0].words.join(' '), resolve: () => resolve(null), reject: (text) => reject(new Error(text)) })),
    wanted: () => (at.shown ? at.query : null),
    shown: () => true,
    ready: () => at.live,
    now: () => at.now,
    said: (text) => said.push(text),
    draw: () => {},
  });
  const settled = () => new Promise(setImmediate);
  const ask = async (query) => {
    if (query === null) at.shown = false;
    else [at.query, at.shown] = [query, true];
    one.follow();
    mock.timers.tick(150);
    await settled();
    return asked.at(-1);
  };
  const answer = async (request, refused) => {
    if (refused) request.reject(refused);
    else request.resolve();
    await settled();
  };
  /** As the link ends: what is under way fails before the phase is another one. */
  const end = async (...requests) => {
    at.live = false;
    for (const { reject } of requests) reject('The connection ended before the server answered.');
    queueMicrotask(() => one.ended());
    await settled();
  };
  return { stream, at, asked, said, one, ask, answer, end };
}

/** Runs a test with timers that wait for it. */
const timed = (name, body) => test(name, { skip }, async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    await body(following());
  } finally {
    mock.timers.reset();
  }
});

timed('a wider search says from when on it has all: from its answer on', async ({ stream, at, one, ask, answer }) => {
  one.opened();
  await answer(await ask('pump'));
  assert.deepEqual([one.isTold, stream.widened], [true, null]);
  at.query = 'pu';
  assert.ok(!one.isTold);
  const wider = await ask('pu');
  at.now = 12.5;
  assert.deepEqual([one.isTold, stream.widened], [false, null]);
  await answer(wider);
  assert.deepEqual([one.isTold, stream.widened], [true, 12.5]);
  at.now = 20;
  await answer(await ask('pump bay /value > 5'));
  // the server looks at no payload
  await ask('pump bay');
  assert.deepEqual([one.isTold, stream.widened], [true, 12.5]);
  // one after another, the second before the first is answered
  const [first, second] = [await ask('valve'), await ask('valves')];
  await answer(first);
  assert.deepEqual([one.isTold, stream.widened], [false, 20]);
  at.now = 30;
  await answer(second);
  assert.deepEqual([one.isTold, stream.widened], [true, 20]);
});

timed('a connection that ends is an interruption, also while a search is under way', async ({ stream, at, said, one, ask, answer, end }) => {
  await answer(await ask('a'));
  await end(await ask('ab'));
  assert.deepEqual([stream.interrupted, one.problem, said], [1, '', []]);
  at.live = true;
  // what was told of before the end counts
  at.now = 50;
  await answer(await ask('b'));
  assert.deepEqual([stream.interrupted, stream.widened, one.isTold], [1, 50, true]);
  // the socket closes, and nobody has said so yet
  await answer(await ask('c'), 'There is no connection to the server.');
  assert.equal(one.problem, 'There is no connection to the server.');
  await end();
  await end();
  assert.equal(stream.interrupted, 2);
  at.live = true;
  const again = await ask('b');
  assert.ok(!one.isTold);
  await answer(again);
  assert.deepEqual([one.isTold, stream.widened], [true, 50]);
});

timed('a search that is refused says why, unless another was asked since', async ({ stream, asked, said, one, ask, answer }) => {
  await answer(await ask('a'));
  const [first, second] = [await ask('b'), await ask('c')];
  await answer(first, 'no');
  assert.deepEqual([one.problem, said], ['', []]);
  await answer(second);
  assert.ok(one.isTold);
  await answer(await ask('d'), 'no');
  assert.deepEqual([one.problem, said, one.isTold], ['no', ['no'], false]);
  // nobody looks: nothing is to be told, of the search before either
  assert.equal((await ask(null)).words, undefined);
  assert.deepEqual([stream.interrupted, one.problem], [1, '']);
  await ask(null);
  assert.deepEqual([stream.interrupted, asked.length], [1, 5]);
});
