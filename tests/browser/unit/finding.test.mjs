// A search that the server answers, where the state does not have all types.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Finding, noneTested } from '../../../server/web/finding.js';

const event = (instance) => ({ id: [1, 1, instance], timestamp: [instance, 0], source_timestamp: null, payload: null });

// the mock timers of Node 18 are another, early version
const skip = process.versions.node.startsWith('18.') && 'needs the mock timers of Node 20';

/** A search, and what it asks for. */
function searching(answer) {
  const asked = [];
  let found = null;
  const finding = new Finding({
    request: async (name, { any }) => (asked.push(any), answer()),
    row: () => undefined,
    ready: () => true,
    found: (rows) => (found = rows),
    draw: () => {},
  });
  const ask = async (query) => {
    finding.ask(query);
    mock.timers.tick(250);
    await new Promise(setImmediate);
    return found;
  };
  return { finding, asked, ask };
}

test('the row of a type stays the same one from search to search', { skip }, async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let instance = 1;
    const { ask } = searching(() => ({ events: { 'a/pump': event(instance) }, found: 1, searched: 9 }));
    const row = (await ask('pum')).get('a/pump');
    instance = 2;
    assert.equal((await ask('pump')).get('a/pump'), row);
    assert.deepEqual([row.event.id[2], row.version], [2, 2]);
  } finally {
    mock.timers.reset();
  }
});

test('conditions alone are asked for among all types, and what cannot be read is not', { skip }, async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { finding, asked, ask } = searching(() => ({ events: {}, found: 5000, searched: 9000 }));
    await ask('/state = open');
    assert.deepEqual(asked, [[{ words: [], patterns: [] }]]);
    assert.deepEqual([finding.found, finding.asking], [5000, false]);
    await ask('age > soon');
    await ask('');
    assert.deepEqual([asked.length, finding.asking], [1, false]);
  } finally {
    mock.timers.reset();
  }
});

test('what is said of types that nobody looked at has its numbers right', () => {
  assert.deepEqual([[3, 2], [1, 4999], [1, 1], [0, 1], [0, 2]].map(([named, others]) => noneTested(named, others, 'a')), [
    'None of the 3 types that were looked at matches “a”; the names of 2 others match, too.',
    'The one type that was looked at does not match “a”; the names of 4\u2009999 others match, too.',
    'The one type that was looked at does not match “a”; the name of one other matches, too.',
    'One type matches “a” by its name, and was not looked at.',
    '2 types match “a” by their names, and none was looked at.',
  ]);
});
