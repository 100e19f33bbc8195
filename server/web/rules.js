// What somebody wants to be warned of: lines of text, kept in the browser.
//
//     alarm */alarm /level = critical      lights each row that the query finds, and counts it
//     stale plant/* 60s                    marks each row whose event is older
//
// Whether a row is an alarm is found out when its event changes; whether it is stale, when it is
// drawn or counted. Of a payload that is too long for the state nobody knows, nor of the age of an
// event that is ahead of the server's clock: such rows are marked and counted on their own.

import { secondsOf } from './format.js';
import { finder, isAhead, isUnknown, parse, seconds } from './search.js';

/** Lines that there may be: each is looked at for each event. */
const MOST = 50;

/** `{rules, problem}`: the rules of a text, or what is wrong with one of its lines. */
export function rulesOf(text) {
  const rules = [];
  for (const [i, line] of text.split('\n').entries()) {
    const found = /^\s*(?:(alarm|stale)(?:\s+(.*?))?)?\s*$/.exec(line);
    const wrong = (why) => ({ rules: [], problem: `Line ${i + 1}: ${why}` });
    if (!found) return wrong('write “alarm” and a search, or “stale”, a query type and a time.');
    const [, kind, rest] = found;
    if (!kind) continue;
    if (!rest) return wrong(`write what is to be marked after “${kind}”.`);
    if (kind === 'alarm') {
      const { conditions, problem } = parse(rest);
      if (problem) return wrong(problem);
      if (conditions.some(({ of }) => of === 'age')) return wrong('an alarm does not depend on the age: write “stale”, a query type and a time.');
      rules.push({ kind, query: rest, finds: finder(rest), mayFind: finder(rest, undefined, true) });
    } else {
      const [, query, time] = /^(.*\S)\s+(\S+)$/.exec(rest) ?? [];
      const after = time === undefined ? null : seconds(time);
      if (after === null) return wrong('write how old is too old at its end, as in: stale plant/* 60s');
      rules.push({ kind, query, after, finds: finder(query) });
    }
    if (rules.length > MOST) return wrong(`there are at most ${MOST} rules.`);
  }
  return { rules, problem: null };
}

export class Rules {
  #rules = [];
  #version = 0;
  #alarms = new Set();
  /** Rows that may be alarms, `row.mayAlarm`: their payloads are cut short. */
  #unknown = new Set();
  #mortal = new Set();

  get text() {
    return this.source ?? '';
  }

  get some() {
    return this.#rules.length > 0;
  }

  /** Takes the rules of a text; what is wrong with it, or null. Then nothing changes. */
  set(text) {
    const { rules, problem } = rulesOf(text);
    if (problem) return problem;
    this.source = text;
    this.#rules = rules;
    this.#version++;
    return null;
  }

  /** Looks at all rows anew. */
  all(rows) {
    this.#alarms.clear();
    this.#unknown.clear();
    this.#mortal.clear();
    for (const row of rows.values()) this.changed(row);
  }

  /** Looks at a row whose event is another one. */
  changed(row) {
    if (!this.some && !row.alarm && !row.mayAlarm && row.staleAfter === undefined) return;
    const alarm = this.#rules.find((rule) => rule.kind === 'alarm' && rule.finds(row));
    row.alarm = alarm?.query;
    if (alarm) this.#alarms.add(row);
    else this.#alarms.delete(row);
    row.mayAlarm = !alarm && isUnknown(row.event) && this.#rules.some((rule) => rule.mayFind?.(row));
    if (row.mayAlarm) this.#unknown.add(row);
    else this.#unknown.delete(row);
    // by its name alone: once for each set of rules
    if (row.rulesVersion !== this.#version) {
      row.rulesVersion = this.#version;
      const ages = this.#rules.filter((rule) => rule.kind === 'stale' && rule.finds(row)).map((rule) => rule.after);
      row.staleAfter = ages.length ? Math.min(...ages) : undefined;
    }
    if (row.staleAfter !== undefined) this.#mortal.add(row);
    else this.#mortal.delete(row);
  }

  gone(row) {
    this.#alarms.delete(row);
    this.#unknown.delete(row);
    this.#mortal.delete(row);
  }

  /** How many rows are lit, are too old, and may have to be lit or be too old. */
  counts(now) {
    let [stale, unknown] = [0, this.#unknown.size];
    for (const row of this.#mortal) {
      stale += isStale(row, now);
      unknown += !row.mayAlarm && isUnsure(row, now);
    }
    return { alarms: this.#alarms.size, stale, unknown };
  }
}

/** Whether the event of a row is older than a rule allows. */
export function isStale(row, now) {
  if (row.staleAfter === undefined) return false;
  return now - secondsOf(row.event.timestamp) > row.staleAfter;
}

/** Whether nobody knows if a rule marks a row. */
export function isUnsure(row, now) {
  return row.mayAlarm === true || (row.staleAfter !== undefined && isAhead(row.event, now));
}
