// The pane of one event, without a browser: what is asked for while its row changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Details } from '../../../server/web/details.js';
import { keyOf } from '../../../server/web/model.js';

globalThis.getSelection = () => ({ isCollapsed: true });

const cut = (instance) => ({ id: [1, 1, instance], timestamp: [instance, 0], source_timestamp: null, payload: { binary: { type: '', data: 'AAAA', size: 6, truncated: true } } });
const whole = (instance) => ({ ...cut(instance), payload: { binary: { type: '', data: 'AAAAAQID', size: 6 } } });
const row = (event, changes = {}) => ({ type: 'a', parts: ['a'], event, key: keyOf(event), version: 1, changedAt: 0, ...changes });

/** A pane, and the answer that it waits for. */
function pane() {
  const parts = {};
  for (const name of ['close', 'copyType', 'copyPayload', 'history', 'add', 'copyLink', 'whole', 'payload', 'type', 'age', 'id', 'timestamp', 'source', 'kind', 'cut', 'cutText']) {
    parts[name] = { dataset: { part: name }, textContent: '', addEventListener: (_, clicked) => (parts[name].clicked = clicked) };
  }
  let answer = null;
  const details = new Details({ dataset: {}, querySelectorAll: () => Object.values(parts) }, { request: () => new Promise((resolve, reject) => (answer = { resolve, reject })) });
  const show = (row) => {
    details.show(row);
    details.draw(0, 1000);
  };
  const answered = async (how, what) => {
    answer[how](what);
    await new Promise(setImmediate);
    details.draw(0, 1000);
  };
  return { parts, show, load: () => parts.whole.clicked(), answered };
}

test('the whole payload is shown though the row of the type is another one by then', async () => {
  const { parts, show, load, answered } = pane();
  show(row(cut(1)));
  load();
  show(row(cut(1), { version: 7 }));
  await answered('resolve', whole(1));
  assert.deepEqual([parts.payload.textContent.includes('01 02 03'), parts.whole.hidden, parts.whole.disabled], [true, true, false]);
  // a row of another type, or of an event that is another one of the stream, has no use for it
  for (const other of [row(cut(1), { type: 'b' }), row(cut(1), { fixed: true }), row(cut(2), { fixed: true })]) {
    load();
    show(other);
    await answered('resolve', whole(1));
    assert.deepEqual([parts.payload.textContent.includes('01 02 03'), parts.whole.hidden], [false, false]);
  }
});

test('why a payload is not whole is said of its event, and of no other', async () => {
  const { parts, show, load, answered } = pane();
  show(row(cut(1)));
  load();
  show(row(cut(1), { version: 7 }));
  await answered('reject', new Error('The store is busy.'));
  assert.equal(parts.cutText.textContent, 'The store is busy.');
  show(row(cut(1), { version: 8 }));
  assert.equal(parts.cutText.textContent, 'The store is busy.');
  show(row(cut(2), { version: 9 }));
  assert.equal(parts.cutText.textContent, 'Only the beginning is here.');
});
