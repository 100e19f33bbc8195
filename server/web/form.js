// The form that registers an event.

import { exact, fromHex, toBase64 } from './format.js';
import { problem } from './json.js';

export class Form {
  #dialog;
  #form;
  #error;
  #on;

  /** `on` has `request(name, data)`; `registered(type, text)`: it is done, say so. */
  constructor(dialog, on) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector('form');
    this.#error = dialog.querySelector('[role=alert]');
    this.#on = on;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener('input', () => this.#changed());
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    dialog.querySelector('[data-part=cancel]').addEventListener('click', () => dialog.close());
    this.#changed();
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Opens the form, for the type of `row` if there is one. */
  open(row) {
    const { type } = this.#form.elements;
    if (row) type.value = row.type;
    this.#say('');
    this.#dialog.showModal();
    type.focus();
    type.select();
  }

  #changed() {
    const kind = this.#form.elements.kind.value;
    for (const part of this.#form.querySelectorAll('[data-kind]')) part.hidden = part.dataset.kind !== kind;
    this.#say('');
  }

  async #submit() {
    const { elements } = this.#form;
    const wrong = (name, text) => {
      this.#say(text);
      elements[name].focus();
      elements[name].setAttribute('aria-invalid', 'true');
    };
    const request = { type: elements.type.value.trim(), source_timestamp: null, payload: null };
    if (!request.type) return wrong('type', 'An event needs a type, as in: plant/boiler/temperature');
    if (/[?*]/.test(request.type)) return wrong('type', '`?` and `*` are for subscriptions: the type of an event has neither.');
    if (elements.now.checked) {
      const now = Date.now();
      request.source_timestamp = [Math.floor(now / 1000), (now % 1000) * 1000];
    }
    if (elements.kind.value === 'json') {
      const text = elements.json.value.trim();
      const error = problem(text);
      if (error) return wrong('json', `The payload is not JSON: ${error}`);
      request.payload = { json: { text } };
    } else if (elements.kind.value === 'binary') {
      const data = fromHex(elements.hex.value);
      if (!data) return wrong('hex', 'The data are not whole bytes in hex, as in: 0a ff 31');
      request.payload = { binary: { type: elements.dataType.value, data: toBase64(data) } };
    }
    elements.submit.disabled = true;
    try {
      const event = await this.#on.request('register', request);
      this.#dialog.close();
      this.#on.registered(request.type, `Registered ${request.type} at ${exact(event.timestamp).slice(11, 26)}.`);
    } catch (error) {
      this.#say(error.message);
    } finally {
      elements.submit.disabled = false;
    }
  }

  #say(text) {
    this.#error.textContent = text;
    for (const field of this.#form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
  }
}
