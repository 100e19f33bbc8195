// `server/web/juggler.js` frame by frame, on a socket that is only a list.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mock, test } from 'node:test';
import { Connection, PING_DELAY, PING_TIMEOUT, segments } from '../../../server/web/juggler.js';
import { Link, retryDelay } from '../../../server/web/link.js';

const { cases, decode_cases } = JSON.parse(readFileSync(new URL('../../vectors/juggler07.json', import.meta.url)));

class Socket extends EventTarget {
  readyState = 1;
  sent = [];
  closed = false;
  send(frame) { this.sent.push(frame); }
  close() { this.closed = true; }
  frame(data) { this.dispatchEvent(Object.assign(new Event('message'), { data })); }
  open() { this.dispatchEvent(new Event('open')); }
}

/** A connection, and what came of it. */
function connected(handlers = {}) {
  const socket = new Socket();
  const seen = [];
  const connection = new Connection(socket, {
    state: (diff) => seen.push({ type: 'state', diff }),
    notify: (name, data) => seen.push({ type: 'notify', name, data }),
    close: (reason) => seen.push(reason),
    ...handlers,
  });
  socket.open();
  return { socket, connection, seen };
}

test('messages of the deployed peer arrive from its segments', () => {
  let arrived = 0;
  for (const { msg, frames } of cases) {
    if (!['state', 'notify'].includes(msg.type)) continue;
    const { socket, connection, seen } = connected();
    for (const frame of frames) socket.frame(frame);
    assert.deepEqual(seen, [msg]);
    connection.close();
    arrived++;
  }
  assert.ok(arrived > 10);
});

test('segments between others, pings, pongs, and the frames that end a connection', () => {
  for (const { frames, messages, answers, closed, note, messages_repr } of decode_cases) {
    // JSON of the browser has no NaN; and what is no message ends the connection here, one layer
    // above the vector
    const broken = closed || messages_repr || messages.some((message) => !['state', 'notify'].includes(message?.type));
    const { socket, connection, seen } = connected();
    for (const frame of frames) socket.frame(frame);
    assert.equal(socket.closed, Boolean(broken), note);
    if (broken) assert.ok(seen.at(-1) instanceof Error, note);
    else assert.deepEqual(seen, messages, note);
    assert.deepEqual(socket.sent, answers, note);
    connection.close();
  }
});

test('a message is cut as the deployed peer cuts it', () => {
  let cut = 0;
  for (const { frames, max_segment_size: size } of cases) {
    const text = frames.map((frame) => frame.slice(1)).join('');
    // it counts code points: the same as UTF-16 units where there is nothing beyond them
    if (/[\ud800-\udfff]/.test(text)) continue;
    assert.deepEqual([...segments(text, size)], frames);
    cut++;
  }
  assert.ok(cut > 20);
});

test('a pair of surrogates stays whole', () => {
  assert.deepEqual([...segments('ab😀cd', 3)], ['1ab', '1😀c', '0d']);
  assert.deepEqual([...segments('', 3)], ['0']);
  assert.deepEqual([...segments('abc', 3)], ['0abc']);
  assert.deepEqual([...segments('😀😀', 1)].map((frame) => frame.length), [2, 2, 2, 2]);
});

test('requests are answered by id, in any order', async () => {
  const { socket, connection } = connected();
  const [first, second] = [connection.request('register', { type: 'a' }), connection.request('', 7)];
  assert.deepEqual(socket.sent, [
    '0{"type":"request","id":1,"name":"register","data":{"type":"a"}}',
    '0{"type":"request","id":2,"name":"","data":7}',
  ]);
  socket.frame('0{"type":"response","id":2,"success":true,"data":7}');
  socket.frame('0{"type":"response","id":9,"success":true,"data":0}');
  socket.frame('0{"type":"response","id":1,"success":false,"data":"no such type"}');
  assert.equal(await second, 7);
  await assert.rejects(first, { message: 'no such type' });
  connection.close();
});

test('requests that are open when the connection ends fail, and later ones at once', async () => {
  const { socket, connection, seen } = connected();
  const open = connection.request('', 1);
  socket.dispatchEvent(new Event('close'));
  await assert.rejects(open, /ended before/);
  await assert.rejects(connection.request('', 2), /no connection/);
  assert.deepEqual(seen, [null]);
});

test('a patch that does not apply ends the connection', () => {
  const { socket, seen } = connected({ state: () => { throw new Error('no such key'); } });
  socket.frame('0{"type":"state","diff":[]}');
  assert.equal(socket.closed, true);
  assert.equal(seen[0].message, 'no such key');
});

// the mock timers of Node 18 are another, early version
const skip = process.versions.node.startsWith('18.') && 'needs the mock timers of Node 20';
test('a silent server is asked, and given up', { skip }, () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { socket, seen } = connected();
    mock.timers.tick(PING_DELAY - 1);
    assert.deepEqual(socket.sent, []);
    socket.frame('3');
    mock.timers.tick(PING_DELAY - 1);
    assert.deepEqual(socket.sent, []);
    mock.timers.tick(1);
    assert.deepEqual(socket.sent, ['2']);
    mock.timers.tick(PING_TIMEOUT - 1);
    assert.equal(socket.closed, false);
    socket.frame('3');
    mock.timers.tick(PING_DELAY);
    assert.deepEqual(socket.sent, ['2', '2']);
    mock.timers.tick(PING_TIMEOUT);
    assert.equal(socket.closed, true);
    assert.match(seen[0].message, /silent/);
  } finally {
    mock.timers.reset();
  }
});

test('attempts to come back get rarer, to a limit, and are spread', () => {
  assert.equal(retryDelay(0, 0.5), 500);
  assert.equal(retryDelay(1, 0.5), 900);
  assert.equal(retryDelay(50, 0.5), 15_000);
  assert.equal(retryDelay(50, 0), 11_250);
  assert.equal(retryDelay(50, 1), 18_750);
});

test('a message in segments is no other phase of a link', (test) => {
  for (const timer of ['setTimeout', 'setInterval']) test.mock.method(globalThis, timer, () => 0);
  const seen = [];
  let [socket, link] = [null, null];
  Object.assign(globalThis, { addEventListener: () => {}, document: { hidden: false }, WebSocket: class extends Socket { constructor() { super(); socket = this; } } });
  link = new Link('ws://plant/ws', {
    reset: () => seen.push('reset'),
    state: () => seen.push('state'),
    phase: () => seen.push(link?.phase ?? 'connecting'),
    progress: () => seen.push(link.progress),
  });
  socket.open();
  socket.frame('0{"type":"state","diff":[]}');
  assert.deepEqual(seen.splice(0), ['connecting', 'reset', 'state', 'live']);
  for (const frame of ['1{"type":"st', '1ate","di', '0ff":[]}']) socket.frame(frame);
  assert.deepEqual(seen.splice(0), [11, 19, 0, 'state']);
  socket.dispatchEvent(new Event('close'));
  assert.deepEqual(seen, ['waiting']);
});
