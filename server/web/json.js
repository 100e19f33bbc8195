// JSON as text, laid out for reading.
//
// It works on tokens and not on values, so that every digit of a number stays as the sender wrote
// it, and text that is cut short or is not quite JSON (`NaN`) is shown all the same.

const TOKEN = /"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** Characters that an array or object without others inside may have to stay on one line: what the
 * details beside the table have room for. */
const LINE = 40;

/** Levels that are told apart by their indentation: each line has all of it, so that a text of
 * brackets alone would grow with its square. */
const DEEPEST = 64;

/** Characters that are laid out at the most: more are for a program to read, and a pattern that
 * takes millions of them at once fails. */
const LAID_OUT = 4 * 2 ** 20;

/** Tokens laid out, as `[kind, text]`: kind is 'key', 'string', 'number', 'word' or '' (marks and
 * white space). */
export function layout(text) {
  const tokens = readable(text).match(TOKEN) ?? [];
  const out = [];
  const mark = (text) => out.push(['', text]);
  let depth = 0;
  const indent = () => '  '.repeat(Math.min(depth, DEEPEST));
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    switch (token) {
      case '{':
      case '[': {
        const end = endOfLine(tokens, i);
        if (end !== null) {
          mark(token);
          for (i++; i < end; i++) {
            if (tokens[i] === ',' || tokens[i] === ':') mark(`${tokens[i]} `);
            else out.push(leaf(tokens, i));
          }
          mark(tokens[end]);
        } else {
          depth++;
          mark(`${token}\n${indent()}`);
        }
        break;
      }
      case '}':
      case ']':
        depth = Math.max(0, depth - 1);
        mark(`\n${indent()}${token}`);
        break;
      case ',': mark(`,\n${indent()}`); break;
      case ':': mark(': '); break;
      default: out.push(leaf(tokens, i));
    }
  }
  return out;
}

/** The text laid out; one that is too long for that as it is. */
export function pretty(text) {
  if (text.length > LAID_OUT) return text;
  return layout(text).map(([, text]) => text).join('');
}

/** The same JSON with letters for their escapes: many writers escape all that is not ASCII. What
 * cannot be seen, or changes the direction of what follows, stays escaped. */
export function readable(text) {
  return text.replace(/(?:\\u[0-9a-fA-F]{4})+|\\./gs, (escapes) => {
    if (escapes[1] !== 'u') return escapes;
    const letters = escapes.replace(/\\u(.{4})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Array.from(letters, (letter) => (letter < '\u00a0' || /[\p{C}\p{Z}]/u.test(letter) ? escaped(letter) : letter)).join('');
  });
}

function escaped(letter) {
  return Array.from({ length: letter.length }, (_, i) => `\\u${letter.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
}

/** What is wrong with a text as JSON, or null. */
export function problem(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error.message;
  }
}

/** Where what opens at `start` closes, if it fits on a line. */
function endOfLine(tokens, start) {
  let length = 0;
  for (let i = start + 1; i < tokens.length; i++) {
    const token = tokens[i];
    if (token === '}' || token === ']') return i;
    length += token.length + 1;
    if (token === '{' || token === '[' || length > LINE) return null;
  }
  return null;
}

function leaf(tokens, i) {
  const token = tokens[i];
  if (token[0] === '"') return [tokens[i + 1] === ':' ? 'key' : 'string', token];
  return [/^-?[0-9]/.test(token) ? 'number' : 'word', token];
}
