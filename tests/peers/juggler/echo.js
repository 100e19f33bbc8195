// WebSocket by the package `ws`, as a client or as a server: gives back what comes; the text
// `close CODE REASON` closes. Prints how each connection ended, and before that, as a server, the
// port.
import { WebSocket, WebSocketServer } from 'ws';

const options = { maxPayload: 0, perMessageDeflate: true };

function echo(connection) {
    connection.on('message', (data, isBinary) => {
        const text = isBinary ? '' : data.toString();
        if (text.startsWith('close ')) {
            const [, code, ...reason] = text.split(' ');
            connection.close(Number(code), reason.join(' '));
        } else {
            connection.send(data, { binary: isBinary });
        }
    });
    connection.on('close', (code, reason) => {
        console.log(JSON.stringify({ code, reason: reason.toString() }));
    });
}

const [, , mode, url] = process.argv;
if (mode === 'client') {
    echo(new WebSocket(url, options));
} else {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
    server.on('listening', () => console.log(server.address().port));
    server.on('connection', echo);
}
