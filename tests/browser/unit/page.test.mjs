// The parts of the page that need no browser: rows, order and search, times, payloads.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ordered, scale } from '../../../server/web/chart.js';
import { age, brief, bytes, clock, count, exact, fromHex, hexdump, lasting, visibleName } from '../../../server/web/format.js';
import { pretty, readable } from '../../../server/web/json.js';
import { addressOf } from '../../../server/web/link.js';
import { Model } from '../../../server/web/model.js';
import { finder, order } from '../../../server/web/search.js';

// before the first time is asked for: an offset that is negative and not of whole hours
process.env.TZ = 'America/St_Johns';

const event = (instance) => ({ id: [1, 1, instance], timestamp: [1_700_000_000, 0], source_timestamp: null, payload: null });
const state = (events) => [{ op: 'replace', path: '', value: { server: {}, clients: {}, rate: { at: 0, counts: [] }, events } }];

test('rows follow the patches, and only what changed is marked', () => {
  const model = new Model();
  model.reset();
  model.apply(state({ 'a/b': event(1), c: event(2) }), 1000);
  const row = model.rows.get('a/b');
  assert.equal(row.changedAt, -Infinity);
  const { typesVersion } = model;

  model.apply([{ op: 'replace', path: '/events/a~1b', value: event(3) }, { op: 'add', path: '/server/registered', value: 3 }], 2000);
  assert.equal(model.rows.get('a/b'), row);
  assert.deepEqual([row.event.id[2], row.changedAt, row.version], [3, 2000, 2]);
  assert.equal(model.rows.get('c').version, 1);
  assert.equal(model.typesVersion, typesVersion);

  model.apply([{ op: 'replace', path: '/events/c/id/2', value: 4 }, { op: 'add', path: '/events/d', value: event(5) }], 3000);
  assert.deepEqual([model.rows.get('c').changedAt, model.rows.get('d').changedAt], [3000, 3000]);
  model.apply([{ op: 'remove', path: '/events/c' }], 4000);
  assert.deepEqual([...model.rows.keys()], ['a/b', 'd']);
});

test('after a reconnection the rows are the same ones, and the same event is no change', () => {
  const model = new Model();
  model.apply(state({ a: event(1), b: event(2), c: event(3) }), 1000);
  const [a, b] = [model.rows.get('a'), model.rows.get('b')];
  model.reset();
  assert.equal(model.rows.size, 3);
  model.apply(state({ a: event(1), b: event(9), d: event(4) }), 5000);
  assert.deepEqual([...model.rows.keys()], ['a', 'b', 'd']);
  assert.equal(model.rows.get('a'), a);
  assert.deepEqual([a.changedAt, b.changedAt], [-Infinity, 5000]);
});

test('a server that kept nothing gives ids again: the event is another one all the same', () => {
  const model = new Model();
  model.apply(state({ a: event(1) }), 1000);
  const row = model.rows.get('a');
  model.reset();
  model.apply(state({ a: { ...event(1), timestamp: [1_700_000_009, 0] } }), 5000);
  assert.deepEqual([model.rows.get('a'), row.changedAt], [row, 5000]);
});

test('the time is the server\'s, whatever is done to the clock of this machine, and to the server\'s', (test) => {
  const model = new Model();
  const told = (at) => model.apply([{ op: 'replace', path: '/rate/at', value: at }]);
  const near = (seconds) => assert.ok(Math.abs(model.now() - seconds) < 30, `${model.now()}, not ${seconds}`);
  const at = 1_700_000_000;
  model.apply(state({}));
  told(at);
  near(at);
  const wrong = Date.now() + 3_600_000;
  test.mock.method(Date, 'now', () => wrong);
  near(at);
  told(at + 1);
  near(at + 1);
  told(at + 7200);
  near(at + 7200);
  told(at + 2);
  near(at + 2);
});

test('the order is by subtypes, numbers as numbers', () => {
  const sorted = (...types) => types.map((type) => ({ type, parts: type.split('/') })).sort(order).map(({ type }) => type);
  assert.deepEqual(sorted('a/10', 'a b', 'a/9/x', 'a', 'a/9', 'B', ''), ['', 'a', 'a/9', 'a/9/x', 'a/10', 'a b', 'B']);
});

test('a search by words, or by a query type', () => {
  const finds = (query, type) => finder(query)({ type });
  assert.ok(finds('TEMP boil', 'plant/Boiler/temperature'));
  assert.ok(!finds('temp turbine', 'plant/boiler/temperature'));
  assert.ok(finds('plant/?/temperature', 'plant/boiler 1/temperature'));
  assert.ok(!finds('plant/?', 'plant/boiler/temperature'));
  assert.ok(finds('plant/*', 'plant'));
  assert.ok(finds('plant/*', 'plant/a/b'));
  assert.ok(!finds('plant/*', 'plants/a'));
  assert.ok(finds('*/temp*', 'x/temperature'));
  assert.ok(finds('a.(b/?', 'A.(b/c'));
  assert.ok(!finds('a.b/?', 'axb/c'));
});

test('the WebSocket is beside the page, also where a proxy has it in a folder', () => {
  for (const [page, expected] of [
    ['http://plant:8080/index.html#q=a', 'ws://plant:8080/ws'],
    ['https://plant/hat/index.html?x#q=a', 'wss://plant/hat/ws'],
    ['https://plant/hat/', 'wss://plant/hat/ws'],
  ]) {
    assert.equal(addressOf(new URL(page)), expected);
  }
  // what the server answers to the root leads there, too
  assert.equal(new URL('./index.html', 'https://plant/hat/').href, 'https://plant/hat/index.html');
});

test('ages and sizes', () => {
  assert.deepEqual([-5, 0.9, 1, 59.9, 60, 3599, 3600, 86_399, 86_400, 1e9].map(age),
    ['now', 'now', '1 s', '59 s', '1 m 00 s', '59 m 59 s', '1 h 00 m', '23 h 59 m', '1 d 00 h', '11\u2009574 d 01 h']);
  // of a clock that was set back
  assert.deepEqual([-6, -59.9, -3540, -7200, -86_400 * 1234].map(age), ['in 6 s', 'in 59 s', 'in 59 m', 'in 2 h', 'in 1\u2009234 d']);
  assert.deepEqual([-6, -5, 60].map(lasting), ['–', 'now', '1 m 00 s']);
  assert.deepEqual([0, 1023, 1024, 204_800, 5_000_000].map(bytes), ['0 B', '1023 B', '1.0 KiB', '200 KiB', '4.8 MiB']);
  assert.deepEqual([0, 999, 1000, 1234567, undefined].map(count), ['0', '999', '1\u2009000', '1\u2009234\u2009567', '–']);
});

test('exact times', () => {
  assert.equal(exact([1_700_000_000, 5]), '2023-11-14 18:43:20.000005 −03:30 · 2023-11-14T22:13:20.000005Z');
  assert.equal(exact([-1, 999_999]), '1969-12-31 20:29:59.999999 −03:30 · 1969-12-31T23:59:59.999999Z');
  assert.equal(clock([1_700_000_000, 5000], new Date(1_700_001_000_000)), '18:43:20.005');
  assert.equal(clock([1_700_000_000, 5000], new Date(1_700_090_000_000)), '2023-11-14 18:43:20');
  assert.equal(exact([1e15, 5]), '1000000000000000.000005 s since 1970');
});

test('payloads in a line', () => {
  assert.equal(brief(null), '–');
  assert.equal(brief({ json: { text: '{"a":\n  1.50}', size: 13 } }), '{"a": 1.50}');
  assert.equal(brief({ json: { text: 'x'.repeat(500), size: 500 } }).length, 402);
  assert.equal(brief({ json: { text: '[1', size: 5000, truncated: true } }), '[1 …');
  assert.equal(brief({ binary: { type: 'T', data: 'AP8=', size: 2 } }), 'T · 2 B · 00 ff');
  assert.equal(brief({ binary: { type: '', data: '', size: 0 } }), 'binary · 0 B · ');
});

test('what looks alike and is not, looks different', () => {
  assert.deepEqual(['a b/c', 'a\u00a0b/c', 'a b/c ', ' a/b', 'a /b', 'a  b', 'a\u3000b'].map(visibleName),
    ['a b/c', 'a‹U+00A0›b/c', 'a b/c‹U+0020›', '‹U+0020›a/b', 'a‹U+0020›/b', 'a ‹U+0020›b', 'a‹U+3000›b']);
  // a mark of direction in a payload turns its digits around
  assert.equal(brief({ json: { text: '"\u202e321"', size: 8 } }), '"‹U+202E›321"');
  assert.equal(brief({ binary: { type: 'T\u200b', data: '', size: 0 } }), 'T‹U+200B› · 0 B · ');
});

test('a payload of brackets, or of megabytes, is shown as well', () => {
  const deep = pretty('['.repeat(256 * 1024));
  assert.ok(deep.length < 256 * 1024 * 140, `${deep.length}`);
  assert.equal(pretty(']]1'), '\n]\n]1');
  const long = `"${'\\u0041'.repeat(3_000_000)}"`;
  assert.equal(pretty(long), long);
});

test('JSON is laid out without a change of its tokens', () => {
  assert.equal(pretty('{"a":[1, 2,3.50],"b":{}}'), '{\n  "a": [1, 2, 3.50],\n  "b": {}\n}');
  assert.equal(pretty('12345678901234567890'), '12345678901234567890');
  assert.equal(pretty('[NaN, [1'), '[\n  NaN,\n  [\n    1');
  assert.equal(pretty(String.raw`["a\"b", "{[,:"]`), String.raw`["a\"b", "{[,:"]`);
});

test('letters for escapes, but for what cannot be seen', () => {
  assert.equal(readable(String.raw`"\u010d\ud83d\ude00"`), '"č😀"');
  const kept = String.raw`"\n\u000a\u0022\\u010d\u202e\u200b\ud83d\u00ad"`;
  assert.equal(readable(kept), kept);
});

test('hex', () => {
  assert.deepEqual([...fromHex('00 ff:41\n0x7e')], [0, 255, 65, 126]);
  assert.deepEqual([...fromHex('')], []);
  assert.equal(fromHex('0'), null);
  assert.equal(fromHex('zz'), null);
  assert.equal(hexdump(new TextEncoder().encode('01234567\n9 and more'), 9), [
    '000000  30 31 32 33 34 35 36 37  01234567',
    '000008  0a 39 20 61 6e 64 20 6d  ·9 and m',
  ].join('\n'));
  assert.equal(hexdump(new Uint8Array([255]), 8), '000000  ff                       ·');
});

test('the ring of seconds, and a scale that rests', () => {
  assert.deepEqual(ordered({ at: 5, counts: [30, 40, 50, 20] }), [50, 20, 30, 40]);
  assert.deepEqual(ordered(undefined), []);
  assert.deepEqual([1, 3, 9, 14, 99, 100, 1300, 10_007].map((most) => scale(most, 0)), [2, 5, 10, 15, 150, 150, 1500, 15_000]);
  assert.equal(scale(900, 1500), 1500);
  assert.equal(scale(500, 1500), 600);
});
