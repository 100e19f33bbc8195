// Times, sizes and payloads as text.

import { readable } from './json.js';

const THIN_SPACE = '\u2009';

/** Characters that nobody sees, that look like a space, or that turn the text around them:
 * controls, direction marks, zero-width signs, line ends, lone halves of surrogate pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u115f\u1160\u3164\uffa0]|(?! )\p{Zs}/gu;

/** Spaces that a reader does not count, or does not see: at the ends of a subtype, and the second
 * of two. */
const SPACES = /(?<=^|\/) | (?=\/|$)|(?<= ) /g;

/** `text` with what cannot be seen written out, as `‹U+202E›`: types that differ look different. */
export function visible(text) {
  return text.replace(UNSEEN, written);
}

/** A name on one line, as `visible`: spaces that are not between two words are written out too. */
export function visibleName(text) {
  return visible(text).replace(SPACES, written);
}

function written(char) {
  return `‹U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}›`;
}

/** `[seconds, microseconds]` in seconds. */
export const secondsOf = ([s, us]) => s + us / 1e6;

/** Seconds by which a time may be ahead of the server's clock and count as now: the page knows that
 * clock no better. */
export const AHEAD = 5;

/** How long ago, in at most eight characters: `now`, `7 s`, `3 m 05 s`, `2 h 08 m`, `5 d 03 h`.
 * What is ahead of the clock, because that was set back, is `in 59 m`. */
export function age(seconds) {
  if (seconds < -AHEAD) return `in ${ahead(Math.floor(-seconds))}`;
  if (!(seconds >= 1)) return 'now';
  const s = Math.floor(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${pad(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} m`;
  return `${count(Math.floor(s / 86_400))} d ${pad(Math.floor(s / 3600) % 24)} h`;
}

/** How long something lasts: as an age, but unknown where its beginning is ahead of the clock. */
export function lasting(seconds) {
  return seconds < -AHEAD ? '–' : age(seconds);
}

function ahead(s) {
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  return s < 86_400 ? `${Math.floor(s / 3600)} h` : `${count(Math.floor(s / 86_400))} d`;
}

/** `[seconds, microseconds]` as local time to the millisecond, with the day where it is not
 * today. */
export function clock([s, us], now = new Date()) {
  const date = new Date(s * 1000);
  if (Number.isNaN(date.getTime())) return `${s} s`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(Math.floor(us / 1000), 3)}`;
  return sameDay(date, now) ? time : `${day(date)} ${time.slice(0, 8)}`;
}

/** The exact value, local and in UTC:
 * `2026-11-21 14:03:22.123456 +01:00 · 2026-11-21T13:03:22.123456Z`. */
export function exact([s, us]) {
  const date = new Date(s * 1000);
  const fraction = pad(us, 6);
  // beyond the years that a browser knows
  if (Number.isNaN(date.getTime())) return `${s}.${fraction} s since 1970`;
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '−' : '+'}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
  const local = `${day(date)} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${fraction}`;
  return `${local} ${zone} · ${date.toISOString().slice(0, -5)}.${fraction}Z`;
}

/** `12 345 678`, in groups that no language reads as a fraction. */
export function count(n) {
  return Number.isFinite(n) ? String(n).replace(/\B(?=(\d{3})+(?!\d))/g, THIN_SPACE) : '–';
}

/** `1 event`, `12 345 events`. */
export function counted(n, what) {
  return `${count(n)} ${what}${n === 1 ? '' : 's'}`;
}

/** `812 B`, `3.4 KiB`, `17 MiB`. */
export function bytes(n) {
  if (!Number.isFinite(n)) return '–';
  let unit = 0;
  while (n >= 1024 && unit < 4) {
    n /= 1024;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

/** One line that says what a payload is, cut to what a row can show. */
export function brief(payload, limit = 400) {
  if (payload === null || payload === undefined) return '–';
  if (payload.binary) {
    const { type, data, size } = payload.binary;
    // 4 characters of base64 are 3 bytes
    const hex = hexOf(fromBase64(data.slice(0, 32)));
    return `${visibleName(type.slice(0, limit)) || 'binary'} · ${bytes(size)} · ${hex}${size > 24 ? ' …' : ''}`;
  }
  const { text } = payload.json;
  const line = visible(readable(text.slice(0, limit)).replace(/[ \t\r\n]+/g, ' '));
  return text.length > limit || payload.json.truncated ? `${line} …` : line;
}

export function hexOf(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** Eight bytes a line, which fits beside the table: where, what in hex, what in ASCII. */
export function hexdump(data, limit) {
  const lines = [];
  for (let at = 0; at < Math.min(data.length, limit); at += 8) {
    const line = data.subarray(at, at + 8);
    const ascii = Array.from(line, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hexOf(line).padEnd(23)}  ${ascii}`);
  }
  return lines.join('\n');
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

export function toBase64(data) {
  return btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(''));
}

/** The bytes that hex digits stand for, with spaces, colons or line ends between them; null where
 * they are not. */
export function fromHex(text) {
  const digits = text.replace(/0x|[\s:,]/gi, '');
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function day(date) {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

function sameDay(a, b) {
  return a.getDate() === b.getDate() && a.getMonth() === b.getMonth() && a.getFullYear() === b.getFullYear();
}

function pad(n, width = 2) {
  return String(n).padStart(width, '0');
}
