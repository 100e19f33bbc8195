// What the page says of the streams of a cluster.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { described } from '../../../server/web/cluster.js';

const stream = (changes) => ({
  stream: 'hat-1', node: 'a', serves: true, stopped: false, reason: null, applied: 40, last: 40, waiting: 0, given_up: 0,
  servers: [], nodes: [], ...changes,
});
const texts = (items) => items.map(({ name, state, text }) => `${name}: ${text} (${state})`);

test('servers of NATS lead, have all, are behind, or lost', () => {
  const server = (name, changes) => ({ name, leads: false, current: false, offline: false, lag: 0, ...changes });
  const { servers } = described(stream({
    servers: [server('n1', { leads: true, current: true }), server('n2', { current: true }), server('n3', { lag: 12 }), server('n4', { offline: true, lag: 9 })],
  }), 1000);
  assert.deepEqual(texts(servers), ['n1: leads (good)', 'n2: has all (good)', 'n3: 12 behind (warn)', 'n4: lost (bad)']);
});

test('a node that does not answer any more stays, and says for how long', () => {
  const node = (name, answered, changes) => ({ name, serves: true, active: null, reason: null, applied: 40, answered, ...changes });
  const { nodes } = described(stream({
    nodes: [node('a', 998), node('b', 996), node('c', 934), node('d', 999, { serves: false, reason: 'the store fails' }), node('e\u202e', 999)],
  }), 1000);
  assert.deepEqual(texts(nodes), [
    'a: serves, this node (good)', 'b: serves (good)', 'c: no answer for 1 m 06 s (bad)', 'd: does not serve (warn)', 'e‹U+202E›: serves (good)',
  ]);
  assert.match(nodes[3].title, /the store fails/);
});

test('of a node whose last answer is ahead of a clock that was set back nobody knows whether it serves', () => {
  const node = (name, answered) => ({ name, serves: true, active: null, reason: null, applied: 40, answered });
  const { nodes } = described(stream({ nodes: [node('a', 1003), node('b', 4560)] }), 1000);
  assert.deepEqual(texts(nodes), ['a: serves, this node (good)', 'b: not known (warn)']);
  assert.deepEqual(nodes.map(({ title }) => title), ['Node a: applied 40, last answer now', 'Node b: applied 40, its last answer is ahead of the server’s clock']);
});

test('under a monitor one node is active, and the others stand by, which is well', () => {
  const node = (name, active) => ({ name, serves: true, active, reason: null, applied: 40, answered: 999 });
  const { nodes } = described(stream({ nodes: [node('a', false), node('b', true), node('c', false)] }), 1000);
  assert.deepEqual(texts(nodes), ['a: standby, this node (good)', 'b: active (good)', 'c: standby (good)']);
});

test('a stream says what is left to do, and why its node does not serve', () => {
  const well = described(stream({}), 1000);
  assert.deepEqual([well.state, well.text, well.title], ['good', '40 messages', 'This node has applied all of them.']);
  const behind = described(stream({ serves: false, reason: '2 messages are left', applied: 38, waiting: 3, given_up: 1 }), 1000);
  assert.deepEqual([behind.state, behind.text], ['warn', '40 messages, 3 waiting']);
  assert.match(behind.title, /^2 messages are left\nThis node has still to apply 2 of them\.\nRegistrations that were given up .*: 1\.$/);
  assert.equal(described(stream({ serves: false, stopped: true }), 1000).state, 'bad');
});
