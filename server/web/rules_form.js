// The dialog in which alarms and ages are written; the browser keeps them.

const KEY = 'hat.rules';

export class RulesForm {
  #dialog;
  #rules;
  #on;
  #text;
  #error;

  /** `on` has `rows()`: all rows; `changed()`. */
  constructor(dialog, rules, on) {
    this.#dialog = dialog;
    this.#rules = rules;
    this.#on = on;
    this.#text = dialog.querySelector('textarea');
    this.#error = dialog.querySelector('[role=alert]');
    dialog.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    dialog.querySelector('[data-part=cancel]').addEventListener('click', () => dialog.close());
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Takes what the browser kept; what it cannot read any more is left out. */
  load() {
    try {
      this.#rules.set(localStorage.getItem(KEY) ?? '');
    } catch {
      // a browser that keeps nothing
    }
  }

  open() {
    this.#text.value = this.#rules.text;
    this.#error.textContent = '';
    this.#dialog.showModal();
    this.#text.focus();
  }

  #save() {
    const problem = this.#rules.set(this.#text.value);
    this.#error.textContent = problem ?? '';
    if (problem) return this.#text.focus();
    this.#rules.all(this.#on.rows());
    try {
      localStorage.setItem(KEY, this.#text.value);
    } catch {
      // they hold as long as the page is open
    }
    this.#dialog.close();
    this.#on.changed();
  }
}
