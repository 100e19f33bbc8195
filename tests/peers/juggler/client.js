// A client of Juggler 0.7, as in a browser: does what its standard input says, a JSON line a step,
// and says what happens, a JSON line each:
//
//     node client.js ADDRESS [MAX_SEGMENT_SIZE]
//
//     <- {"send": [NAME, DATA], "id": N}      -> {"id": N, "result": DATA} or {"id": N, "error":
//     DATA}
//     <- {"digest": PATH...}                  -> {"digest": [LENGTH, FIRST, LAST]}   of a text in
//     the state
//     <- {"close": true}
//     -> {"event": "open"}, {"event": "state", "state": DATA}, {"event": "notify", "name": NAME,
//     "data": DATA}, {"event": "close"}
//
// States beyond 10 000 characters are told as {"event": "state", "size": CHARACTERS}.

import {createInterface} from 'node:readline';

if (globalThis.CustomEvent === undefined) {
    globalThis.CustomEvent = class extends Event {
        constructor(type, options = {}) {
            super(type);
            this.detail = options.detail ?? null;
        }
    };
}
if (globalThis.WebSocket === undefined) {
    globalThis.WebSocket = (await import('ws')).WebSocket;
}
// what it brings along for drawing looks for a page when it is loaded
globalThis.window ??= {};
globalThis.document ??= {documentElement: {}, addEventListener: () => {}};
const {Connection} = await import('@hat-open/juggler');

function say(line) {
    process.stdout.write(JSON.stringify(line) + '\n');
}

const [address, maxSegmentSize] = process.argv.slice(2);
const connection = new Connection(address, 1000, 5000, Number(maxSegmentSize ?? 65536));

connection.addEventListener('open', () => say({event: 'open'}));
connection.addEventListener('change', () => {
    const size = JSON.stringify(connection.state).length;
    say(size > 10000 ? {event: 'state', size} : {event: 'state', state: connection.state});
});
connection.addEventListener('notify', ({detail}) => say({event: 'notify', ...detail}));
connection.addEventListener('close', () => {
    say({event: 'close'});
    process.exitCode = 0;
    input.close();
});

async function request(id, name, data) {
    try {
        say({id, result: await connection.send(name, data)});
    } catch (error) {
        say({id, error: error instanceof Error ? error.message : error});
    }
}

const input = createInterface({input: process.stdin});
input.on('line', (line) => {
    const step = JSON.parse(line);
    if (step.send) {
        request(step.id, ...step.send);
    } else if (step.digest) {
        const text = step.digest.reduce((value, name) => value[name], connection.state);
        say({digest: [text.length, text.slice(0, 8), text.slice(-8)]});
    } else if (step.close) {
        connection.close();
    }
});
input.on('close', () => connection.close());
