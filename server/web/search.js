// The order of event types, and what somebody typed to find some of them.
//
//     plant temp 1             words: each occurs in the type, in any case; a number is a
//                              whole one, so that `bay 1` is not in `bay 10`
//     "bay 1"                  with its space
//     plant/?/temp  */temp     a query type: `?` for one subtype, `*` for any number of them,
//                              anywhere; within a subtype, any text
//     /value > 5  payload = 1  a member of a JSON payload, by a JSON pointer, or all of it:
//                              = != < <= > >= and ~ for 'contains'
//     age > 1h  delay > 5s     how long ago it was registered; how much later than its source time
//
// The server finds types by the same rules (server/src/page/find.rs), but for payloads and ages,
// which are for the page alone.

import { AHEAD, secondsOf } from './format.js';

const collator = new Intl.Collator('en', { numeric: true });

/** By subtypes: `unit 2` before `unit 10`, and a type before those below it. */
export function order({ type: left, parts: a }, { type: right, parts: b }) {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] === b[i]) continue;
    const found = collator.compare(a[i], b[i]);
    if (found !== 0) return found;
  }
  // one is the beginning of the other, or what is the same to a reader still needs an order
  return left < right ? -1 : left > right ? 1 : 0;
}

const CONDITION = /(^|\s)(payload|age|delay|\/[^\s"<>=!~]*)\s*(!=|<=|>=|=|<|>|~)\s*("[^"]*"?|\S+)/g;
const TERM = /"([^"]*)"?|(\S+)/g;
const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of `250ms`, `5s`, `1.5 m`, `2h`, `1d`, or of a number of seconds; null where it is none
 * of these. */
export function seconds(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  return found ? Number(found[1]) * SECONDS[found[2] ?? 's'] : null;
}

/** What a query says: `{ways: [{words, patterns}], conditions: [{of, op, value}], terms, problem}`.
 * A type is found where one of the ways matches and all conditions hold; `terms` are the words and
 * patterns as they were typed. */
export function parse(query) {
  const conditions = [];
  let problem = null;
  const rest = query.replace(CONDITION, (whole, _, of, op, text) => {
    let value = text.replace(/^"|"$/g, '');
    if (of === 'age' || of === 'delay') {
      value = seconds(value);
      if (value === null || op === '~') problem = `“${whole.trim()}”: write a time, as in: ${of} > 5s, 10m, 2h or 1d`;
    }
    conditions.push({ of, op, value });
    return ' ';
  }).trim();
  const words = [];
  const patterns = [];
  const terms = [];
  for (const [, quoted, bare] of rest.matchAll(TERM)) {
    const term = (quoted ?? bare).toLowerCase();
    if (!term) continue;
    terms.push(term);
    (bare !== undefined && /[*?]/.test(bare) ? patterns : words).push(term);
  }
  const ways = [{ words, patterns }];
  // `plant/?/unit 48/*` is one query type with a space in it
  if (patterns.length && terms.length > 1 && !rest.includes('"')) ways.push({ words: [], patterns: [rest.toLowerCase()] });
  return { ways, conditions, terms, problem };
}

/** A test of rows for what somebody typed. `now()` is the server's time in seconds; `unknown` is
 * what holds for a payload of which only the beginning is here, and for the age of an event that is
 * ahead of the clock. */
export function finder(query, now = () => Date.now() / 1000, unknown = false) {
  const { conditions, problem } = parse(query);
  // what cannot be read is not half read
  if (problem) return () => false;
  const byName = namesFinder(query);
  if (!conditions.length) return byName;
  return (row) => byName(row) && conditions.every((condition) => holds(condition, row.event, now, unknown));
}

/** A test of rows for the words and patterns of a query, whatever its conditions are. */
export function namesFinder(query) {
  const found = parse(query).ways.map(({ words, patterns }) => {
    const compiled = patterns.map((pattern) => pattern.split('/').map(part));
    return (name) => words.every((word) => hasWord(name, word)) && (!compiled.length || everyMatches(compiled, name.split('/')));
  });
  return ({ type }) => {
    const name = type.toLowerCase();
    return found.some((finds) => finds(name));
  };
}

/** Whether all that one query finds is found by another, as far as their terms say so. */
export function narrows(query, other) {
  const [narrow, wide] = [parse(query), parse(other)];
  if (wide.problem) return false;
  const isSame = (one) => (other) => one.of === other.of && one.op === other.op && one.value === other.value;
  return namesNarrow(narrow.ways, wide.ways) && wide.conditions.every((one) => narrow.conditions.some(isSame(one)));
}

/** The same of the names alone, by the ways of both. */
export function namesNarrow(narrow, wide) {
  const isWithin = (way, other) => other.words.every((word) => way.words.some((longer) => hasWord(longer, word))) && other.patterns.every((pattern) => way.patterns.includes(pattern));
  return narrow.every((way) => wide.some((other) => isWithin(way, other)));
}

/** Whether what a query finds depends on payloads or on the time. */
export function changes(query) {
  return parse(query).conditions.length > 0;
}

/** Whether `word` occurs in `text`, and not within a longer number. */
export function hasWord(text, word) {
  const [starts, ends] = [isDigit(word[0]), isDigit(word.at(-1))];
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (!(starts && isDigit(text[at - 1])) && !(ends && isDigit(text[at + word.length]))) return true;
  }
  return false;
}

const isDigit = (char) => char >= '0' && char <= '9';

function part(text) {
  if (text === '*') return null;
  if (text === '?') return () => true;
  if (!/[*?]/.test(text)) return (segment) => segment === text;
  const pattern = Array.from(text);
  const any = (char) => char === '*' || char === '?';
  return (segment) => wild(pattern, Array.from(segment), any, (a, b) => a === b);
}

function everyMatches(patterns, segments) {
  return patterns.every((pattern) => wild(pattern, segments, (one) => one === null, (test, segment) => test(segment)));
}

/** Whether `pattern` is all of `text`, where what `any` says stands for any number. It goes back to
 * the last of those only, which is enough. */
function wild(pattern, text, any, same) {
  let [p, t, back, until] = [0, 0, -1, 0];
  while (t < text.length) {
    if (p < pattern.length && any(pattern[p])) [back, until] = [p++, t];
    else if (p < pattern.length && same(pattern[p], text[t])) [p, t] = [p + 1, t + 1];
    else if (back >= 0) [p, t] = [back + 1, ++until];
    else return false;
  }
  return pattern.slice(p).every(any);
}

/** Whether the payload that is here is only the beginning of a JSON one: then nobody knows whether
 * a condition holds. */
export function isUnknown(event) {
  return Boolean(event.payload?.json?.truncated);
}

/** Whether an event is ahead of the server's clock, which was set back: then nobody knows how old
 * it is. Until the clock has caught up, all that is registered gets the same time. */
export function isAhead(event, now) {
  return now - secondsOf(event.timestamp) < -AHEAD;
}

/** Whether a condition holds for an event. A payload that is not JSON, or has no such member,
 * fulfils none. */
function holds({ of, op, value }, event, now, unknown) {
  if (of === 'age') return isAhead(event, now()) ? unknown : compare(op, now() - secondsOf(event.timestamp), value);
  if (of === 'delay') return event.source_timestamp !== null && compare(op, secondsOf(event.timestamp) - secondsOf(event.source_timestamp), value);
  if (isUnknown(event)) return unknown;
  const found = member(valueOf(event), of === 'payload' ? '' : of);
  return found !== undefined && compare(op, found, value);
}

const values = new WeakMap();

/** The value of a JSON payload, read once for each event; undefined where there is none. */
export function valueOf(event) {
  if (!event.payload?.json) return undefined;
  if (!values.has(event)) values.set(event, isUnknown(event) ? undefined : parsed(event.payload.json.text));
  return values.get(event);
}

/** Python writes `NaN` and `Infinity`, which JSON does not have: they are texts here, and the rest
 * of the payload is read all the same. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    // below
  }
  try {
    return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) => (token[0] === '"' ? token : `"${token}"`)));
  } catch {
    return undefined;
  }
}

/** The member of `value` that a JSON pointer (RFC 6901) names, or undefined. */
export function member(value, pointer) {
  if (pointer === '') return value;
  for (const token of pointer.slice(1).split('/')) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function compare(op, found, wanted) {
  // a number beyond the largest is no null, as which JSON would write it
  const text = typeof found === 'string' ? found : typeof found === 'number' ? String(found) : JSON.stringify(found);
  if (op === '~') return text.toLowerCase().includes(String(wanted).toLowerCase());
  const number = typeof found === 'number' && String(wanted).trim() !== '' ? Number(wanted) : NaN;
  switch (op) {
    case '=': return text === String(wanted) || found === number;
    case '!=': return text !== String(wanted) && found !== number;
    case '<': return found < number;
    case '<=': return found <= number;
    case '>': return found > number;
    default: return found >= number;
  }
}

/** What a search says that fails at its conditions. */
export const NONE_LIKE_THAT = 'Types match by their names, but none has a payload or an age like that.';

/** What to say, where `query` finds none of `rows`: which of its terms is the one that is not
 * there. */
export function hint(query, rows) {
  const { terms, conditions, problem } = parse(query);
  if (problem) return problem;
  const finding = (text) => {
    const finds = finder(text);
    return rows.reduce((sum, row) => sum + finds(row), 0);
  };
  const quoted = terms.map((term) => (/[\s]/.test(term) ? `"${term}"` : term));
  if (conditions.length && finding(quoted.join(' '))) return NONE_LIKE_THAT;
  for (const [i, term] of terms.entries()) {
    const others = quoted.filter((_, other) => other !== i).join(' ');
    const left = others ? finding(others) : 0;
    if (left) return `Without “${term}” ${left === 1 ? 'one type matches' : `${left} types match`}.`;
  }
  const [only] = terms;
  if (terms.length !== 1) return '';
  if (/[*?]/.test(only)) {
    const anywhere = `*/${only.replace(/^\*\/|\/\*$/g, '')}/*`;
    if (finding(anywhere)) return `A query type goes from the first subtype to the last: try ${anywhere}`;
    return 'A query type goes from the first subtype to the last: `?` is one of them, `*` any number.';
  }
  for (let end = only.length - 1; end >= 3; end--) {
    const found = finding(`"${only.slice(0, end)}"`);
    if (found) return `There are types with “${only.slice(0, end)}”.`;
  }
  return '';
}
