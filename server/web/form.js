// The form that registers an event, in two steps: it is written, then looked at beside what is
// there now, and only then sent. What is there now is asked for, so that it is the server's, whole,
// and not older than the question; the request says what its user saw, and the server registers
// nothing where that is another event by then: of two operators, the second is asked again.
//
//     edit ──Enter, Review──► confirm ──Register, Ctrl+Enter──► sent ──answer──► done
//      ▲                        │                                │
//      └────Back, or the type has another event by now───────────┴──no answer: not confirmed
//
// Plain Enter never sends. A request carries the time until which it may be carried out, by the
// server's clock: the server drops it after that, so that what was given up here is not done
// minutes later.

import { bytes, exact, fromBase64, fromHex, hexOf, toBase64, visible, visibleName } from './format.js';
import { pretty, problem } from './json.js';

/** Seconds in which a request must be carried out. */
const DEADLINE = 5;

/** Seconds more to wait for the answer: it may be under way. */
const GRACE = 2;

/** Characters of a payload that are shown to who confirms. */
const SHOWN = 64 * 1024;

export class Form {
  #dialog;
  #form;
  #error;
  #part;
  #on;
  /** What is to be confirmed: `{request, now, expected, sent}`, where `now` says that its source
   * time is the moment in which it is sent, and `expected` is the event that was there when it was
   * looked at: null where there was none, undefined until the server has said. */
  #review = null;
  /** How often the form was opened: an answer is for the form that it was asked by. */
  #opened = 0;
  /** The type of the row that the form was opened for, and how its field shows it: a field has no
   * line ends, and what is typed has no spaces around it, but a type may. */
  #chosen = { type: '', field: '' };
  /** Somebody has written in it since: what is there must not be written over. */
  #written = false;

  /** `on` has:
   *
   * - `request(name, data)`;
   * - `ready()`: null, or why nothing can be sent now;
   * - `now()`: seconds since 1970 by the server's clock;
   * - `registered(type, text)`: it is done, say so; `said(text)`: say it.
   */
  constructor(dialog, on) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector('form');
    this.#error = dialog.querySelector('[role=alert]');
    this.#part = Object.fromEntries(Array.from(dialog.querySelectorAll('[data-part]'), (element) => [element.dataset.part, element]));
    this.#on = on;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.#review) this.#toConfirm();
    });
    this.#form.addEventListener('input', () => {
      this.#written = true;
      this.#changed();
    });
    this.#form.addEventListener('keydown', (event) => this.#key(event));
    this.#part.cancel.addEventListener('click', () => dialog.close());
    this.#part.back.addEventListener('click', () => this.#toEdit());
    this.#part.confirm.addEventListener('click', () => this.#send());
    this.#changed();
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Opens the form: empty, or with the type and the payload of `row`. */
  async open(row) {
    const opened = ++this.#opened;
    this.#form.reset();
    this.#written = false;
    this.#changed();
    const { type } = this.#form.elements;
    type.value = row?.type ?? '';
    this.#chosen = { type: row?.type ?? '', field: type.value };
    this.#toEdit();
    this.#dialog.showModal();
    type.focus();
    type.select();
    if (!row) return;
    let { payload } = row.event;
    if ((payload?.json ?? payload?.binary)?.truncated) {
      const event = await this.#on.request('event', { type: row.type }).catch(() => null);
      // the beginning of a payload is none: whoever wants it must write it
      payload = event?.payload;
    }
    if (this.#opened === opened && this.isOpen && !this.#review && !this.#written) this.#fill(payload);
  }

  /** Says again whether something can be sent now. Called whenever the page is drawn. */
  draw() {
    if (!this.isOpen) return;
    const hindrance = this.#on.ready();
    this.#part.confirm.disabled = Boolean(hindrance) || this.#review?.sent === true || this.#review?.expected === undefined;
    if (this.#part.hindrance.textContent !== (hindrance ?? '')) this.#part.hindrance.textContent = hindrance ?? '';
  }

  #fill(payload) {
    const { elements } = this.#form;
    if (payload?.json) {
      elements.kind.value = 'json';
      elements.json.value = pretty(payload.json.text);
    } else if (payload?.binary) {
      elements.kind.value = 'binary';
      elements.dataType.value = payload.binary.type;
      elements.hex.value = hexOf(fromBase64(payload.binary.data));
    }
    this.#changed();
  }

  #key(event) {
    if (event.key !== 'Enter') return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      if (this.#review) this.#send();
      else this.#toConfirm();
    } else if (event.target === this.#part.confirm) {
      // somebody who presses Enter again and again must not send by it
      event.preventDefault();
    }
  }

  #changed() {
    const kind = this.#form.elements.kind.value;
    for (const part of this.#form.querySelectorAll('[data-kind]')) part.hidden = part.dataset.kind !== kind;
    this.#say('');
  }

  #step(step) {
    for (const part of this.#form.querySelectorAll('[data-step]')) part.hidden = part.dataset.step !== step;
  }

  #toEdit() {
    this.#review = null;
    this.#say('');
    this.#step('edit');
  }

  /** Shows what is to be sent beside what is there, and `problem`: why it is to be looked at
   * again. */
  async #toConfirm(problem = '') {
    const request = this.#read();
    if (!request) return;
    const review = { request, now: this.#form.elements.now.checked, expected: undefined, sent: false };
    this.#review = review;
    this.#part.confirmType.textContent = visibleName(request.type);
    this.#part.confirmOld.textContent = 'Asking the server …';
    this.#part.confirmNew.textContent = shown(request.payload);
    this.#part.confirmSource.textContent = review.now ? 'The moment in which you press Register.' : 'None.';
    this.#say(problem);
    this.#step('confirm');
    this.#part.confirmHeading.focus();
    this.draw();
    try {
      const latest = await within(this.#on.request('event', { type: request.type }), (DEADLINE + GRACE) * 1000);
      if (this.#review !== review) return;
      review.expected = latest && { id: latest.id, timestamp: latest.timestamp };
      this.#part.confirmOld.textContent = latest ? shown(latest.payload, true) : 'There is no event of this type yet.';
    } catch (error) {
      if (this.#review !== review) return;
      this.#part.confirmOld.textContent = 'Not known.';
      this.#say(error instanceof TimeOver ? 'The server did not say what is there now: go back and try again.' : error.message);
    }
    this.draw();
  }

  /** What is written, or nothing where something is wrong with it: then it is said. */
  #read() {
    const { elements } = this.#form;
    const wrong = (name, text) => {
      this.#say(text);
      elements[name].focus();
      elements[name].setAttribute('aria-invalid', 'true');
      return null;
    };
    const { type, field } = this.#chosen;
    const request = { type: type && elements.type.value === field ? type : elements.type.value.trim(), source_timestamp: null, payload: null };
    if (!request.type) return wrong('type', 'An event needs a type, as in: plant/boiler/temperature');
    if (/[?*]/.test(request.type)) return wrong('type', '`?` and `*` are for subscriptions: the type of an event has neither.');
    if (elements.kind.value === 'json') {
      const text = elements.json.value.trim();
      if (!text) return wrong('json', 'Write the payload as JSON, or choose None.');
      const error = problem(text);
      if (error) return wrong('json', `The payload is not JSON: ${error}`);
      request.payload = { json: { text } };
    } else if (elements.kind.value === 'binary') {
      const data = fromHex(elements.hex.value);
      if (!data) return wrong('hex', 'The data are not whole bytes in hex, as in: 0a ff 31');
      request.payload = { binary: { type: elements.dataType.value, data: toBase64(data) } };
    }
    return request;
  }

  async #send() {
    const review = this.#review;
    if (!review || review.sent || review.expected === undefined) return;
    const hindrance = this.#on.ready();
    if (hindrance) return this.#say(hindrance);
    const { request, expected } = review;
    // not when it was written: somebody may have looked at it for long; and by the server's clock,
    // for the one of this machine may be wrong
    if (review.now) request.source_timestamp = stamp(this.#on.now());
    review.sent = true;
    this.#part.confirm.disabled = true;
    const opened = this.#opened;
    const deadline = this.#on.now() + DEADLINE;
    const failed = (text) => {
      // whoever has closed the form is told too
      if (this.#opened !== opened || !this.isOpen || this.#review !== review) this.#on.said(text);
      // what is there may be another by now
      else if (this.#on.ready() === null) this.#toConfirm(text);
      else this.#say(text);
    };
    try {
      const answer = this.#on.request('register', { ...request, deadline, expected });
      const event = await within(answer, (DEADLINE + GRACE) * 1000);
      if (this.#opened === opened) this.#dialog.close();
      this.#on.registered(request.type, `Registered ${visibleName(request.type)} at ${exact(event.timestamp).slice(11, 26)}.`);
    } catch (error) {
      failed(error instanceof TimeOver ? `Not confirmed: the server did not answer within ${DEADLINE + GRACE} s. It is not known whether the event is registered, or still will be; look at the latest event of ${visibleName(request.type)}.` : error.message);
    } finally {
      review.sent = false;
      this.draw();
    }
  }

  #say(text) {
    this.#error.textContent = text;
    for (const field of this.#form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
  }
}

/** Seconds as a timestamp, to the millisecond. */
function stamp(seconds) {
  const milliseconds = Math.round(seconds * 1000);
  return [Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1000];
}

class TimeOver extends Error {}

/** What `promise` gives, if it does so in this many milliseconds. */
function within(promise, milliseconds) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new TimeOver()), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A payload as somebody who confirms reads it: one that is there laid out, one that is to be
 * registered as it was written. */
function shown(payload, laidOut = false) {
  if (!payload) return 'No payload.';
  if (payload.json) {
    const { text } = payload.json;
    return readably(laidOut && text.length <= SHOWN ? pretty(text) : text, text.length);
  }
  const { type, data } = payload.binary;
  const hex = hexOf(fromBase64(data.slice(0, SHOWN)));
  return readably(`${visibleName(type) || 'binary'}: ${hex || 'no bytes'}`, 3 * data.length);
}

/** Line by line with what cannot be seen written out, cut where it is too long. */
function readably(text, length) {
  const cut = length > SHOWN ? `\n… only the beginning is shown: ${bytes(new Blob([text]).size)} in all` : '';
  return text.slice(0, SHOWN).split('\n').map(visible).join('\n') + cut;
}
