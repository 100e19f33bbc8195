// Connects to an S7 server, reads items of its data blocks once, and prints the answer as one line
// of JSON:
//
//     node read.js HOST PORT RACK SLOT ITEM...
//
// An item is written as nodes7 has it: DB1,INT0. The line is {"bad": BOOL, "values": {ITEM: VALUE}}
// or {"error": TEXT}.

'use strict';

const NodeS7 = require('nodes7');

const [host, port, rack, slot, ...items] = process.argv.slice(2);
const connection = new NodeS7({silent: true});

function finish(answer) {
    connection.dropConnection(() => {
        process.stdout.write(JSON.stringify(answer) + '\n', () => process.exit());
    });
}

const target = {host, port: Number(port), rack: Number(rack), slot: Number(slot), timeout: 5000};
connection.initiateConnection(target, (error) => {
    if (error) {
        finish({error: String(error.code || error)});
        return;
    }

    connection.addItems(items);
    connection.readAllItems((bad, values) => finish({bad, values}));
});
