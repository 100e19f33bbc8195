// What is shown, as a file: CSV (RFC 4180) or a line of JSON for each event.

/** `2026-11-28T22:01:02.123456Z`, or seconds where a browser knows no such year. */
export function iso([s, us]) {
  const date = new Date(s * 1000);
  const fraction = String(us).padStart(6, '0');
  return Number.isNaN(date.getTime()) ? `${s}.${fraction}` : `${date.toISOString().slice(0, -5)}.${fraction}Z`;
}

const COLUMNS = ['type', 'timestamp', 'source_timestamp', 'server', 'session', 'instance', 'payload_kind', 'payload_type', 'payload'];

/** Those of a file with payloads of which only the beginning is here. `hat register` refuses them:
 * it is to register no part for the whole. */
const COLUMNS_CUT = ['payload_size', 'payload_cut'];

/** Events, each with its type, as CSV, which `hat register --input csv` reads. A text that a
 * spreadsheet would take for a formula gets an apostrophe before it. */
export function csv(events) {
  const isCut = events.some(({ payload }) => (payload?.json ?? payload?.binary)?.truncated);
  const lines = [isCut ? [...COLUMNS, ...COLUMNS_CUT] : COLUMNS, ...events.map((event) => fields(event, isCut).map(quoted))];
  return lines.map((line) => `${line.join(',')}\r\n`).join('');
}

/** Events, each with its type, as lines of JSON. A JSON payload is the text that was sent, so that
 * no digit of it changes. */
export function jsonLines(events) {
  return events.map((event) => {
    const { id, timestamp, source_timestamp: source, payload } = event;
    const segments = segmentsOf(event.type);
    const type = segments.join('/');
    const head = JSON.stringify({ type, ...(isPlain(segments) ? {} : { segments }), id, timestamp: iso(timestamp), source_timestamp: source && iso(source) }).slice(0, -1);
    const { json, binary } = payload ?? {};
    const cut = (json ?? binary)?.truncated;
    let body = 'null';
    if (json && !cut && isJson(json.text)) body = `{"kind":"json","data":${json.text.replace(/[\r\n]/g, ' ')}}`;
    else if (json && !cut) body = JSON.stringify({ kind: 'invalid', text: json.text });
    else if (json) body = JSON.stringify({ kind: 'json', text: json.text, size: json.size, cut });
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

function fields({ type, id, timestamp, source_timestamp: source, payload }, isCut) {
  const { json, binary } = payload ?? {};
  const { size = '', truncated: cut } = json ?? binary ?? {};
  const kind = json ? (cut || isJson(json.text) ? 'json' : 'invalid') : binary ? 'binary' : '';
  // base64 is no formula that does anything, and with an apostrophe it is no base64
  const data = binary ? binary.data : unformed(json?.text ?? '');
  const whole = [typeText(type), iso(timestamp), source ? iso(source) : '', ...id, kind, unformed(binary?.type ?? ''), data];
  return isCut ? [...whole, size, cut ? 'true' : ''] : whole;
}

/** The segments of a type, which the server names (server/src/page/name.rs). */
export function segmentsOf(type) {
  if (type === '') return [];
  return type === '%_' ? [''] : type.split('/').map((segment) => segment.replaceAll('%2F', '/').replaceAll('%25', '%'));
}

/** Whether segments with slashes between them can be read again. */
function isPlain(segments) {
  return segments.length > 0 && segments.every((segment) => segment && !/[/?*]/.test(segment));
}

/** A type as it can be read again, and as no spreadsheet takes it for a formula: `a/b`, or its
 * segments as JSON. */
function typeText(type) {
  const segments = segmentsOf(type);
  const text = segments.join('/');
  return isPlain(segments) && !/^\["|^\[\]$/.test(text) && unformed(text) === text ? text : JSON.stringify(segments);
}

function unformed(text) {
  return /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? `'${text}` : text;
}

function quoted(value) {
  const text = String(value);
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
