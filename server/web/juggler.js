// The client side of Juggler 0.7 on one WebSocket.
//
//     1{"type":"state","diff":[{"op":"replace","path":"","va      a segment, more to come
//     0lue":{"server":{}}}]}                                      the last one: here a message ends
//     2abc                                                        a ping, also among segments …
//     3abc                                                        … and its pong
//
// client → server  {"type": "request", "id": n, "name": text, "data": any}
// server → client  {"type": "response", "id": n, "success": bool, "data": any}
//                  {"type": "state", "diff": JSON Patch}      from null at each connection
//                  {"type": "notify", "name": text, "data": any}

/** Most UTF-16 units of a message in one segment, as the deployed peers have it. */
export const SEGMENT_SIZE = 64 * 1024;

/** Milliseconds without anything received until a ping is sent, and from then until the connection
 * is given up. */
export const PING_DELAY = 30_000;
export const PING_TIMEOUT = 30_000;

/** The frames of a message: at most `size` UTF-16 units each, and one character before them.
 *
 * A pair of surrogates is not cut in two: a WebSocket carries Unicode, so that each half would
 * arrive as U+FFFD.
 */
export function* segments(text, size = SEGMENT_SIZE) {
  let start = 0;
  while (text.length - start > size) {
    let end = start + size;
    if (size > 1 && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    yield `1${text.slice(start, end)}`;
    start = end;
  }
  yield `0${text.slice(start)}`;
}

function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}

/** One connection.
 *
 * `socket` is a WebSocket, or what behaves like one. `on` has any of:
 *
 * - `open()`: requests can be sent;
 * - `state(diff)`: a patch of the state, in order from the first;
 * - `notify(name, data)`;
 * - `progress(characters)`: so many of a message that is not whole yet are here, and 0 once it is;
 * - `close(reason)`: the connection is gone, once, and `reason` is an Error where the other side
 *   broke the protocol.
 *
 * What a handler throws ends the connection too: a patch that does not apply leaves nothing to go
 * on with.
 */
export class Connection {
  /** `performance.now()` of what came last. */
  heardAt = -Infinity;

  #socket;
  #on;
  #parts = [];
  #requests = new Map();
  #lastId = 0;
  #timer = null;
  #closed = false;

  constructor(socket, on) {
    this.#socket = socket;
    this.#on = on;
    socket.addEventListener('open', () => this.#opened());
    socket.addEventListener('message', (event) => this.#received(event.data));
    socket.addEventListener('close', () => this.close());
  }

  /** Sends a request; its answer's data, or an Error with the text that the server answered with,
   * or when the connection ends first. */
  request(name, data) {
    return new Promise((resolve, reject) => {
      if (this.#closed || this.#socket.readyState !== 1) return reject(new Error('There is no connection to the server.'));
      const id = ++this.#lastId;
      this.#requests.set(id, { resolve, reject });
      for (const frame of segments(JSON.stringify({ type: 'request', id, name, data }))) this.#socket.send(frame);
    });
  }

  close(reason = null) {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    for (const { reject } of this.#requests.values()) {
      reject(new Error('The connection ended before the server answered.'));
    }
    this.#requests.clear();
    this.#on.close?.(reason);
  }

  #opened() {
    if (this.#closed) return;
    this.#heard();
    this.#on.open?.();
  }

  #received(frame) {
    if (this.#closed) return;
    try {
      this.#heard();
      this.#frame(frame);
    } catch (error) {
      this.close(error);
    }
  }

  #frame(frame) {
    if (typeof frame !== 'string') throw new Error('a frame that is not text');
    const payload = frame.slice(1);
    switch (frame[0]) {
      case '0': {
        this.#parts.push(payload);
        const text = this.#parts.join('');
        if (this.#parts.length > 1) this.#on.progress?.(0);
        this.#parts = [];
        return this.#message(JSON.parse(text));
      }
      case '1':
        this.#parts.push(payload);
        return this.#on.progress?.(this.#parts.reduce((sum, part) => sum + part.length, 0));
      case '2': return this.#socket.send(`3${payload}`);
      case '3': return;
      default: throw new Error(`a frame of an unknown type: ${JSON.stringify(frame.slice(0, 1))}`);
    }
  }

  #message(message) {
    switch (message?.type) {
      case 'state': return this.#on.state?.(message.diff);
      case 'notify': return this.#on.notify?.(message.name, message.data);
      case 'response': return this.#answered(message);
      default: throw new Error(`a message of an unknown type: ${JSON.stringify(message?.type)}`);
    }
  }

  #answered({ id, success, data }) {
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    if (success) request.resolve(data);
    else request.reject(new Error(typeof data === 'string' ? data : JSON.stringify(data)));
  }

  /** Something came: the other side is alive, for now. */
  #heard() {
    this.heardAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#socket.send('2');
      this.#timer = setTimeout(() => this.close(new Error('the server went silent')), PING_TIMEOUT);
    }, PING_DELAY);
  }
}
