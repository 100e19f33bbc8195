// node test.mjs MODULE.wasm VECTORS.json: the core in WebAssembly against the messages of the
// deployed peers.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const [, , module, vectors] = process.argv;
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const { put, take, transcode, open, receive } = instance.exports;

// as src/lib.rs numbers them
const TYPES = ['InitReq', 'InitRes', 'StatusNotify', 'EventsNotify', 'RegisterReq', 'RegisterRes', 'QueryReq', 'QueryRes']
    .map(name => `HatEventer.Msg${name}`);

function give(bytes) {
    for (const byte of bytes) put(byte);
}

function output() {
    const bytes = [];
    for (let byte = take(); byte >= 0; byte = take()) bytes.push(byte);
    return Buffer.from(bytes);
}

let count = 0;
for (const { type, hex } of JSON.parse(readFileSync(vectors)).cases) {
    const kind = TYPES.indexOf(type);
    if (kind < 0) continue;
    give(Buffer.from(hex, 'hex'));
    assert.equal(transcode(kind), 1, `${type} ${hex}`);
    assert.equal(output().toString('hex'), hex);
    count += 1;
}
assert(count > 200, `only ${count} messages`);

// bytes that are no message are refused, and leave nothing behind
give([0x81]);
assert.equal(transcode(0), 0);
assert.equal(output().length, 0);

// a client says who it is: one block of Chatter, `HatEventer.MsgInitReq`
give(Buffer.from('screen'));
assert.equal(open(), 1);
const sent = output();
assert.equal(sent[0], 1);
assert.equal(sent[1], sent.length - 2);
assert(sent.includes('HatEventer.MsgInitReq') && sent.includes('screen'));

// and the server takes it: operational
const name = Buffer.from('HatEventer.MsgInitRes');
const body = Buffer.concat([Buffer.from([0x81, 0x81, 0, 1, 1, 0x80 | name.length]), name, Buffer.from([0x82, 0x80, 0x82])]);
give([1, body.length]);
assert.equal(receive(), 0);
give(body);
assert.equal(receive(), 1);
assert.equal(output().toString(), 'Ready(Operational)');

console.log(`${count} messages decoded and encoded, and a client, in WebAssembly`);
