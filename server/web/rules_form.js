// The dialog in which alarms and ages are written; the browser keeps them.

const KEY = 'hat.rules';

export class RulesForm {
  #dialog;
  #rules;
  #on;
  #text;
  #error;
  /** What the browser kept and nobody could read. */
  #unread = null;

  /** `on` has `rows()`: all rows; `changed()`; `loaded(problem)`: another tab has changed them. */
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
    addEventListener('storage', (event) => {
      if (event.key === KEY || event.key === null) this.#on.loaded(this.load());
    });
    dialog.querySelector('[data-part=cancel]').addEventListener('click', () => dialog.close());
  }

  get isOpen() {
    return this.#dialog.open;
  }

  /** Takes what the browser kept, also in another tab. What is wrong with it, or null: then no
   * rule of it holds, and it is there to be mended. */
  load() {
    let text = '';
    try {
      text = localStorage.getItem(KEY) ?? '';
    } catch {
      // a browser that keeps nothing
    }
    const problem = this.#rules.set(text);
    this.#unread = problem ? { text, problem } : null;
    this.#rules.all(this.#on.rows());
    return problem;
  }

  open() {
    this.#text.value = this.#unread?.text ?? this.#rules.text;
    this.#error.textContent = this.#unread?.problem ?? '';
    this.#dialog.showModal();
    this.#text.focus();
  }

  #save() {
    const problem = this.#rules.set(this.#text.value);
    this.#error.textContent = problem ?? '';
    if (problem) return this.#text.focus();
    this.#unread = null;
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
