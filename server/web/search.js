// The order of event types, and which of them a search finds.

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

/** A test of rows for what somebody typed, in any case: words that all occur in the type; or, with a `*` or `?`, a query type as `hat subscribe` takes it:
 * `?` for one subtype, a last `*` for all below. */
export function finder(query) {
  const text = query.toLowerCase();
  const matches = /[*?]/.test(text) ? queryType(text) : words(text);
  return ({ type }) => matches(type.toLowerCase());
}

function words(text) {
  const all = text.split(/\s+/);
  return (type) => all.every((word) => type.includes(word));
}

function queryType(text) {
  const parts = text.split('/');
  const below = parts.at(-1) === '*';
  if (below) parts.pop();
  // a mark within a subtype stands for any text: nobody who searches wants to be told that a subscription has no such thing
  const patterns = parts.map((part) => new RegExp(`^${part.split(/[*?]/).map(escape).join('.*')}$`, 's'));
  return (type) => {
    const subtypes = type.split('/');
    return (below ? subtypes.length >= patterns.length : subtypes.length === patterns.length)
      && patterns.every((pattern, i) => pattern.test(subtypes[i]));
  };
}

function escape(text) {
  return text.replace(/[.+^${}()|[\]\\]/g, '\\$&');
}
