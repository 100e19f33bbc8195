// `server/web/patch.js` against what the deployed peer sends and accepts. Node alone: `node --test
// tests/browser/unit/`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { keysOf, patch, PatchError } from '../../../server/web/patch.js';

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url)));

/** The deployed peer takes these, against RFC 6902; here they are errors. */
const LENIENT = new Set(['leading zero (RFC 6902 error)', 'parent is number: peer returns null for it', 'peer bug: successful test replaces whole document with null']);

for (const name of ['json_patch06', 'json_patch05']) {
  test(`the diffs of ${name} lead from one value to the other`, () => {
    const { diff_cases, cases } = vectors(name);
    let applied = 0;
    for (const { src, dst, diff, patched_equals_dst } of diff_cases ?? cases) {
      // where it is not `true`, the peer's diff loses the change or fails
      if (patched_equals_dst !== true) continue;
      assert.deepEqual(patch(src, diff), dst);
      applied++;
    }
    assert.ok(applied > 20);
  });
}

test('single operations end as in the deployed peer, or in an error', () => {
  for (const { data, diff, result, error, note } of vectors('json_patch06').cases) {
    const apply = () => patch(structuredClone(data), diff);
    if (error || LENIENT.has(note)) assert.throws(apply, PatchError, JSON.stringify(diff));
    else assert.deepEqual(apply(), result, JSON.stringify(diff));
  }
});

test('a change is made in place, and nothing else is touched', () => {
  const events = { 'a/b': { id: 1 }, c: { id: 2 } };
  const state = { events };
  const other = events.c;
  const touched = [];
  assert.equal(patch(state, [{ op: 'replace', path: '/events/a~1b/id', value: 7 }], (keys) => touched.push(keys)), state);
  assert.equal(state.events, events);
  assert.equal(events.c, other);
  assert.deepEqual(events['a/b'], { id: 7 });
  assert.deepEqual(touched, [['events', 'a/b', 'id']]);
});

test('what was touched: the array where its elements move, both ends of a move, all for the root', () => {
  const touched = (document, ...operations) => {
    const all = [];
    patch(document, operations, (keys) => all.push(keys.join(' ')));
    return all;
  };
  assert.deepEqual(touched({ a: [1, 2] }, { op: 'add', path: '/a/0', value: 0 }), ['a']);
  assert.deepEqual(touched({ a: [1, 2] }, { op: 'remove', path: '/a/0' }), ['a']);
  assert.deepEqual(touched({ a: [1, 2] }, { op: 'replace', path: '/a/0', value: 3 }), ['a 0']);
  assert.deepEqual(touched({ a: { x: 1 }, b: {} }, { op: 'move', from: '/a/x', path: '/b/y' }), ['a x', 'b y']);
  assert.deepEqual(touched({ a: 1 }, { op: 'copy', from: '/a', path: '/b' }), ['b']);
  assert.deepEqual(touched(null, { op: 'replace', path: '', value: {} }), ['']);
});

test('a copy shares nothing with what it was made from', () => {
  const state = patch({ a: { x: [1] } }, [{ op: 'copy', from: '/a', path: '/b' }, { op: 'add', path: '/b/x/-', value: 2 }]);
  assert.deepEqual(state, { a: { x: [1] }, b: { x: [1, 2] } });
});

test('keys that JavaScript has other plans for are keys', () => {
  const state = JSON.parse('{"events": {}}');
  for (const key of ['__proto__', 'constructor', 'toString', '7', '']) {
    assert.throws(() => patch(state, [{ op: 'replace', path: `/events/${key}`, value: 1 }]), PatchError);
    patch(state, [{ op: 'add', path: `/events/${key}`, value: { x: 1 } }, { op: 'replace', path: `/events/${key}/x`, value: 2 }]);
  }
  assert.deepEqual(Object.keys(state.events).sort(), ['', '7', '__proto__', 'constructor', 'toString']);
  assert.equal(Object.getPrototypeOf(state.events), Object.prototype);
  patch(state, [{ op: 'remove', path: '/events/__proto__' }]);
  assert.equal(Object.hasOwn(state.events, '__proto__'), false);
  assert.equal({}.x, undefined);
});

test('pointers', () => {
  assert.deepEqual(keysOf(''), []);
  assert.deepEqual(keysOf('/'), ['']);
  assert.deepEqual(keysOf('/a~1b/~01/~0~1'), ['a/b', '~1', '~/']);
  for (const wrong of ['a', null, undefined, 1]) assert.throws(() => keysOf(wrong), PatchError);
});

test('what is no patch is refused', () => {
  for (const wrong of [null, {}, 'x', [{ op: 'add', path: '/a' }], [{ op: 'replace', path: '' }], [{}]]) {
    assert.throws(() => patch({}, wrong), PatchError, JSON.stringify(wrong));
  }
});
