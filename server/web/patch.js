// JSON Patch (RFC 6902), applied in place.
//
//     patch(state, [{op: 'replace', path: '/events/a~1b/id', value: [1, 1, 2]}], touched)
//     touched(['events', 'a/b', 'id'])
//
// The cost of an operation is the length of its path, not the size of the document: nothing is
// copied but what `copy` copies. The price is that a patch that fails half way has done half its
// work. That is sound here, because a failure ends the connection, and the next one starts again
// from null.
//
// `test` is refused: no server sends one, and the deployed ones do not agree on what it does.

/** Applies `operations` to `document` and returns the new document, which is the old one unless its
 * root was replaced.
 *
 * `touched` is called after each change with the path, as a list of keys, of what is different
 * now: of the element itself within an object, but of the array where the elements of an array
 * moved.
 */
export function patch(document, operations, touched = () => {}) {
  if (!Array.isArray(operations)) throw new PatchError('a patch is an array of operations');
  const root = { value: document };
  for (const operation of operations) run(root, operation, touched);
  return root.value;
}

export class PatchError extends Error {}

function run(root, { op, path, from, value }, touched) {
  if ((op === 'add' || op === 'replace') && value === undefined) throw new PatchError(`${op} without a value`);
  switch (op) {
    case 'add': return add(root, keysOf(path), value, touched);
    case 'replace': return replace(root, keysOf(path), value, touched);
    case 'remove': return void remove(root, keysOf(path), touched);
    case 'copy': {
      const found = JSON.stringify(find(root, keysOf(from)));
      return add(root, keysOf(path), JSON.parse(found), touched);
    }
    case 'move': {
      const [source, target] = [keysOf(from), keysOf(path)];
      if (from === path) return void find(root, source);
      if (path.startsWith(`${from}/`)) throw new PatchError(`cannot move ${from} into itself, to ${path}`);
      return add(root, target, remove(root, source, touched), touched);
    }
    default: throw new PatchError(`unknown operation ${JSON.stringify(op)}`);
  }
}

function add(root, keys, value, touched) {
  if (keys.length === 0) return replace(root, keys, value, touched);
  const parent = parentOf(root, keys);
  const key = keys[keys.length - 1];
  if (Array.isArray(parent)) {
    const index = key === '-' ? parent.length : indexIn(parent, key, parent.length);
    parent.splice(index, 0, value);
    touched(keys.slice(0, -1));
  } else {
    set(parent, key, value);
    touched(keys);
  }
}

function replace(root, keys, value, touched) {
  if (keys.length === 0) {
    root.value = value;
  } else {
    const parent = parentOf(root, keys);
    const key = keys[keys.length - 1];
    get(parent, key);
    set(parent, key, value);
  }
  touched(keys);
}

function remove(root, keys, touched) {
  if (keys.length === 0) {
    const value = root.value;
    root.value = null;
    touched(keys);
    return value;
  }
  const parent = parentOf(root, keys);
  const key = keys[keys.length - 1];
  const value = get(parent, key);
  if (Array.isArray(parent)) {
    parent.splice(indexIn(parent, key, parent.length - 1), 1);
    touched(keys.slice(0, -1));
  } else {
    delete parent[key];
    touched(keys);
  }
  return value;
}

/** The keys of a JSON Pointer (RFC 6901). */
export function keysOf(pointer) {
  if (pointer === '') return [];
  if (typeof pointer !== 'string' || pointer[0] !== '/') {
    throw new PatchError(`not a JSON pointer: ${JSON.stringify(pointer)}`);
  }
  const keys = pointer.slice(1).split('/');
  if (!pointer.includes('~')) return keys;
  // in this order: `~01` stands for `~1`
  return keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function find(root, keys) {
  return keys.reduce(get, root.value);
}

function parentOf(root, keys) {
  let value = root.value;
  for (let i = 0; i < keys.length - 1; i++) value = get(value, keys[i]);
  if (value === null || typeof value !== 'object') throw new PatchError(`nothing can be in ${quoted(keys.slice(0, -1))}`);
  return value;
}

function get(container, key) {
  if (Array.isArray(container)) return container[indexIn(container, key, container.length - 1)];
  // own keys only: an event may be called `constructor`
  if (container === null || typeof container !== 'object' || !Object.hasOwn(container, key)) {
    throw new PatchError(`there is no ${JSON.stringify(key)}`);
  }
  return container[key];
}

function set(container, key, value) {
  if (Array.isArray(container)) {
    container[indexIn(container, key, container.length - 1)] = value;
  } else if (key === '__proto__') {
    // an assignment would change what the object inherits from
    Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    container[key] = value;
  }
}

function indexIn(array, key, last) {
  const index = /^(0|[1-9][0-9]*)$/.test(key) ? Number(key) : NaN;
  if (!(index <= last)) throw new PatchError(`no index of an array of ${array.length}: ${JSON.stringify(key)}`);
  return index;
}

function quoted(keys) {
  return JSON.stringify(keys.join('/'));
}
