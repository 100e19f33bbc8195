// What is shown, as a file: CSV (RFC 4180) or a line of JSON for each event.

/** `2026-11-28T22:01:02.123456Z`, or seconds where a browser knows no such year. */
export function iso([s, us]) {
  const date = new Date(s * 1000);
  const fraction = String(us).padStart(6, '0');
  return Number.isNaN(date.getTime()) ? `${s}.${fraction}` : `${date.toISOString().slice(0, -5)}.${fraction}Z`;
}

const COLUMNS = ['type', 'timestamp', 'source_timestamp', 'server', 'session', 'instance', 'payload_kind', 'payload_type', 'payload', 'payload_size', 'payload_cut'];

/** Events, each with its type, as CSV. A text that a spreadsheet would take for a formula gets an
 * apostrophe before it. */
export function csv(events) {
  const lines = events.map((event) => fields(event).map(quoted).join(','));
  return `${[COLUMNS.join(','), ...lines].join('\r\n')}\r\n`;
}

/** Events, each with its type, as lines of JSON. A JSON payload is the text that was sent, so that
 * no digit of it changes. */
export function jsonLines(events) {
  return events.map((event) => {
    const { type, id, timestamp, source_timestamp: source, payload } = event;
    const head = JSON.stringify({ type, id, timestamp: iso(timestamp), source_timestamp: source && iso(source) }).slice(0, -1);
    const { json, binary } = payload ?? {};
    const cut = (json ?? binary)?.truncated;
    let body = 'null';
    if (json && !cut && isJson(json.text)) body = `{"kind":"json","data":${json.text.replace(/[\r\n]/g, ' ')}}`;
    else if (json) body = JSON.stringify({ kind: 'json', text: json.text, size: json.size, cut: Boolean(cut) });
    else if (binary) body = JSON.stringify({ kind: 'binary', type: binary.type, data: binary.data, ...(cut ? { size: binary.size, cut } : {}) });
    return `${head},"payload":${body}}\n`;
  }).join('');
}

/** Gives a text to the user as a file. */
export function save(name, type, text) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  // the browser has begun to read it by then
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function fields({ type, id, timestamp, source_timestamp: source, payload }) {
  const { json, binary } = payload ?? {};
  const kind = json ? 'json' : binary ? 'binary' : '';
  return [type, iso(timestamp), source ? iso(source) : '', ...id, kind, binary?.type ?? '', json?.text ?? binary?.data ?? '', (json ?? binary)?.size ?? '', (json ?? binary)?.truncated ? 'true' : ''];
}

function quoted(value) {
  let text = String(value);
  if (/^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
