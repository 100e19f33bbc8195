// The tree of event types by their subtypes: counts, and names that are cut where they are alike.

/** What stands for what is left out. */
const CUT = '…';

export class Names {
  /** `{children, count, alike}`: the types below and at a place, and how all names of its children
   * begin. */
  root = node();

  add(parts) {
    let at = this.root;
    at.count++;
    for (const name of parts) {
      let child = at.children.get(name);
      if (!child) {
        at.alike = at.children.size ? common(at.alike, name) : withoutNumber(name);
        at.children.set(name, (child = node()));
      }
      child.count++;
      at = child;
    }
    at.here = true;
  }

  /** Takes a type away that was added. How names begin stays what it was: then less is cut than
   * could be. */
  remove(parts) {
    let at = this.root;
    at.count--;
    for (const name of parts) {
      const child = at.children.get(name);
      if (--child.count === 0) return void at.children.delete(name);
      at = child;
    }
    at.here = false;
  }

  /** The name of a type in at most so many characters, if it can be: what it shares with its
   * neighbours goes first, what tells it from them stays. Two types never get the same name by
   * it. */
  fit(parts, most) {
    let length = parts.length - 1;
    for (const name of parts) length += name.length;
    if (length <= most) return parts.join('/');
    const shown = [...parts];
    const alike = [];
    let at = this.root;
    for (const name of parts) {
      alike.push(at.children.size < 2 ? null : at.alike);
      at = at.children.get(name) ?? node();
    }
    const text = () => shown.filter((name, i) => name !== CUT || shown[i - 1] !== CUT).join('/');
    // no other type has anything else there; the last says what it is about
    for (let i = 0; i < parts.length - 1 && text().length > most; i++) {
      if (alike[i] === null && parts[i].length > 1) shown[i] = CUT;
    }
    for (let i = 0; i < parts.length && text().length > most; i++) {
      const rest = alike[i] ? parts[i].slice(alike[i].length) : '';
      if (alike[i]?.length > 2) shown[i] = `${parts[i][0]}${CUT}${rest}`;
    }
    at = this.root;
    for (let i = 0; i < parts.length - 1 && text().length > most; i++) {
      const start = beginning(at, parts[i]);
      if (start.length + 1 < shown[i].length) shown[i] = `${start}${CUT}`;
      at = at.children.get(parts[i]) ?? node();
    }
    // what was cut before the rest got shorter may fit again
    for (let i = parts.length - 1; i >= 0; i--) {
      const before = shown[i];
      shown[i] = parts[i];
      if (text().length > most) shown[i] = before;
    }
    return text();
  }
}

function node() {
  return { children: new Map(), count: 0, alike: '', here: false };
}

function common(a, b) {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return withoutNumber(a.slice(0, i));
}

/** The shortest beginning of a child's name that no other child of its parent has; all of it where
 * there is none. Looked for anew when there are more of them. */
function beginning(parent, name) {
  const child = parent.children.get(name);
  if (!child) return name;
  if (child.among !== parent.children.size) {
    let length = 1;
    for (const other of parent.children.keys()) {
      if (other === name) continue;
      let same = 0;
      while (same < name.length && name[same] === other[same]) same++;
      length = Math.max(length, same + 1);
    }
    // not within a number, nor a pair of surrogates
    while (length < name.length && /[\d\ud800-\udbff]/.test(name[length - 1])) length++;
    [child.among, child.beginning] = [parent.children.size, name.slice(0, length)];
  }
  return child.beginning;
}

/** A number is not cut in two. Nor is a pair of surrogates. */
function withoutNumber(text) {
  return text.replace(/[\d\ud800-\udbff]+$/, '');
}
