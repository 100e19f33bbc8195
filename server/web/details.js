// The pane with all of one event: it follows the active row of the table and is updated in place.

import { age, bytes, exact, fromBase64, hexdump, hexOf, secondsOf, visible, visibleName } from './format.js';
import { layout, pretty } from './json.js';
import { keyOf } from './model.js';
import { isAhead } from './search.js';

/** Tokens of JSON that are coloured: each is an element, and they are made anew whenever the event
 * changes. */
const COLOURED = 3000;

/** Characters of JSON, and binary bytes, that are shown; the copy button takes all of them. */
const SHOWN = 256 * 1024;
const SHOWN_BYTES = 16 * 1024;

export class Details {
  #pane;
  #part;
  #on;
  #row = null;
  #version = -1;
  /** The event that is shown. */
  #shown = null;
  /** The event as answered to `event`, where the state's is cut short. */
  #whole = null;
  #problem = '';

  /** `on` has `close()`; `request(name, data)`; `said(text)`: say it to the user;
   * `history(type)`, `add(type)`: show the history of a type, or it in the plot too. */
  constructor(pane, on) {
    this.#pane = pane;
    this.#on = on;
    this.#part = Object.fromEntries(Array.from(pane.querySelectorAll('[data-part]'), (element) => [element.dataset.part, element]));
    this.#part.close.addEventListener('click', () => on.close());
    this.#part.copyType.addEventListener('click', () => this.#copy(this.#row.type, 'Type'));
    this.#part.copyPayload.addEventListener('click', () => this.#copyPayload());
    this.#part.history.addEventListener('click', () => on.history(this.#row.type));
    this.#part.add.addEventListener('click', () => on.add(this.#row.type));
    this.#part.copyLink.addEventListener('click', () => this.#copy(location.href, 'Link'));
    this.#part.whole.addEventListener('click', () => this.#load());
  }

  get open() {
    return this.#row !== null;
  }

  get row() {
    return this.#row;
  }

  show(row) {
    this.#pane.hidden = false;
    if (this.#row === row) return;
    const goesOn = this.#goesOnAs(row);
    this.#row = row;
    // another row of the same type: all that is there is whose event it is
    if (goesOn) return void (this.#version = null);
    this.#version = -1;
    [this.#shown, this.#whole, this.#problem] = [null, null, ''];
    this.#part.payload.scrollTop = 0;
    this.#part.type.textContent = visibleName(row.type) || '(no subtypes)';
  }

  /** Whether what is shown is of the same event, or the same type where that is followed: its row
   * may be another one by now. */
  #goesOnAs(row) {
    const own = this.#row;
    return own === row || (own?.type === row.type && !own.fixed === !row.fixed && (!row.fixed || own.key === row.key));
  }

  hide() {
    this.#row = null;
    this.#pane.hidden = true;
  }

  focus() {
    this.#part.heading.focus();
  }

  draw(now, serverNow) {
    const row = this.#row;
    if (!row) return;
    if (this.#version === -1 || (this.#version !== row.version && !this.#isMarked())) {
      this.#version = row.version;
      if (this.#whole && keyOf(this.#whole) !== row.key) this.#whole = null;
      // what was said is of another event
      if (this.#shown && keyOf(this.#shown) !== row.key) this.#problem = '';
      this.#fill(this.#event());
    }
    const old = age(serverNow - secondsOf(this.#shown.timestamp));
    const newer = keyOf(this.#shown) === row.key ? '' : ': there is a newer event, which waits while text of this one is marked';
    let text = old === 'now' ? old : `${old} ago`;
    if (isAhead(this.#shown, serverNow)) text = `${old}: its time is ahead of the server’s clock`;
    write(this.#part.age, text + newer);
    this.#pane.dataset.heat = now - row.changedAt < 500 ? 1 : 0;
  }

  /** Somebody marks text in the payload: it waits with what is new. */
  #isMarked() {
    const selection = getSelection();
    return !selection.isCollapsed && this.#part.payload.contains(selection.anchorNode);
  }

  #event() {
    return this.#whole ?? this.#row.event;
  }

  #fill(event) {
    this.#shown = event;
    const { id, timestamp, source_timestamp: source, payload } = event;
    const [server, session, instance] = id;
    write(this.#part.id, `server ${server} · session ${session} · instance ${instance}`);
    times(this.#part.timestamp, exact(timestamp));
    times(this.#part.source, source ? exact(source) : '–');
    const { json, binary } = payload ?? {};
    const kind = json ? 'JSON' : binary ? `Binary${binary.type ? ` “${visibleName(binary.type)}”` : ''}` : 'None';
    const size = (json ?? binary)?.size;
    write(this.#part.kind, size === undefined ? kind : `${kind} · ${bytes(size)}`);
    this.#part.copyPayload.disabled = !payload;
    const cut = isCut(payload);
    const isLong = json?.text.length > SHOWN || binary?.size > SHOWN_BYTES;
    this.#part.cut.hidden = !cut && !isLong && !this.#problem;
    this.#part.whole.hidden = !cut;
    write(this.#part.cutText, this.#problem || (cut ? 'Only the beginning is here.' : 'Only the beginning is shown: a copy has all of it.'));
    if (json) this.#json(json.text);
    else write(this.#part.payload, binary ? hexdump(fromBase64(binary.data), SHOWN_BYTES) : '');
  }

  #json(text) {
    const tokens = layout(text.slice(0, SHOWN)).map(([kind, text]) => [kind, kind ? visible(text) : text]);
    if (tokens.length > COLOURED) return write(this.#part.payload, tokens.map(([, text]) => text).join(''));
    this.#part.payload.replaceChildren(...tokens.map(([kind, text]) => {
      if (!kind) return text;
      const span = document.createElement('span');
      span.className = kind;
      span.textContent = text;
      return span;
    }));
  }

  /** All of it, also where not all is shown. */
  async #copyPayload() {
    const row = this.#row;
    if (isCut(this.#event().payload)) await this.#load();
    if (this.#goesOnAs(row) && !isCut(this.#event().payload)) await this.#copy(copied(this.#event().payload), 'Payload');
  }

  async #load() {
    const row = this.#row;
    this.#part.whole.disabled = true;
    try {
      const event = await this.#on.request('event', { type: row.type });
      if (!this.#goesOnAs(row)) return;
      if (!event) throw new Error('The server has no event of this type any more.');
      // an event of the stream stays what it is
      if (row.fixed && keyOf(event) !== row.key) throw new Error('There is a newer event of this type: only the beginning of this one is here.');
      this.#whole = event;
      this.#problem = '';
    } catch (error) {
      if (this.#goesOnAs(row)) this.#problem = error.message;
    } finally {
      this.#part.whole.disabled = false;
      if (this.#row) this.#fill(this.#event());
    }
  }

  async #copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      this.#on.said(`${what} copied.`);
    } catch {
      // without TLS, and not on this machine, a page has no clipboard
      const area = document.createElement('textarea');
      area.value = text;
      area.className = 'unseen';
      this.#pane.append(area);
      area.select();
      const done = document.execCommand('copy');
      area.remove();
      this.#on.said(done ? `${what} copied.` : 'The browser does not let this page copy.');
    }
  }
}

function isCut(payload) {
  return Boolean((payload?.json ?? payload?.binary)?.truncated);
}

function copied({ json, binary }) {
  return json ? pretty(json.text) : hexOf(fromBase64(binary.data));
}

/** Local time, and in a line of its own the same in UTC. */
function times(element, text) {
  write(element, text.replace(' · ', '\n'));
}

/** The same text is not written again: what somebody has marked in it stays marked. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
