// The streams of a cluster: the NATS servers that keep each, and the nodes over it.

import { age, AHEAD, count, visibleName } from './format.js';

/** Seconds without an answer from which on a node counts as gone: nodes are asked every five. */
const GONE = 12;

/** What a stream is shown as: `{name, state, text, title, servers, nodes}`, the last two of
 * `{name, state, text, title}`; a `state` is `good`, `warn` or `bad`. `now` is by the server's
 * clock. */
export function described(stream, now) {
  const behind = Math.max(0, stream.last - stream.applied);
  const state = stream.stopped ? 'bad' : stream.serves ? 'good' : 'warn';
  const waiting = stream.waiting ? `, ${count(stream.waiting)} waiting` : '';
  return {
    name: visibleName(stream.stream),
    state,
    text: `${count(stream.last)} ${stream.last === 1 ? 'message' : 'messages'}${waiting}`,
    title: [
      stream.reason,
      behind ? `This node has still to apply ${count(behind)} of them.` : 'This node has applied all of them.',
      stream.given_up ? `Registrations that were given up since the start, because the cluster took too long: ${count(stream.given_up)}.` : '',
    ].filter(Boolean).join('\n'),
    servers: stream.servers.map(describedServer),
    nodes: stream.nodes.map((node) => describedNode(node, stream, now)),
  };
}

function describedServer({ name, leads, current, offline, lag }) {
  const [state, text] = leads ? ['good', 'leads'] : offline ? ['bad', 'lost'] : current ? ['good', 'has all'] : ['warn', lag ? `${count(lag)} behind` : 'behind'];
  return { name: visibleName(name), state, text, title: `NATS server ${visibleName(name)}: ${text}` };
}

function describedNode({ name, serves, active, reason, applied, answered }, stream, now) {
  const shown = visibleName(name);
  const silent = now - answered;
  const behind = Math.max(0, stream.last - applied);
  // the clock was set back since: whether it answers shows when it answers again
  const isUnknown = silent < -AHEAD;
  const last = isUnknown ? 'its last answer is ahead of the server’s clock' : silent < 1 ? 'last answer now' : `last answer ${age(silent)} ago`;
  const title = [`Node ${shown}: applied ${count(applied)}, ${last}`, reason].filter(Boolean).join('\n');
  if (isUnknown) return { name: shown, state: 'warn', text: 'not known', title };
  if (silent > GONE) return { name: shown, state: 'bad', text: `no answer for ${age(silent)}`, title };
  if (!serves) return { name: shown, state: 'warn', text: 'does not serve', title };
  // what came since its answer is not behind
  const what = active === null ? 'serves' : active ? 'active' : 'standby';
  const text = name === stream.node ? `${what}, this node` : what;
  return { name: shown, state: 'good', text, title: behind ? `${title}\n${count(behind)} behind, or not asked since` : title };
}

/** The element of all streams; hidden without any. */
export class Cluster {
  #element;
  #drawn = '';

  constructor(element) {
    this.#element = element;
  }

  draw(streams, now) {
    const shown = (streams ?? []).map((stream) => described(stream, now));
    // most times nothing has changed: nobody loses a selection or a tooltip
    const text = JSON.stringify(shown);
    if (text === this.#drawn) return;
    this.#drawn = text;
    this.#element.hidden = shown.length === 0;
    this.#element.replaceChildren(...shown.map(streamElement));
  }
}

function streamElement(stream) {
  const element = make('div', 'stream');
  element.append(chip('p', stream), list('NATS', 'NATS servers', stream.servers), list('Nodes', 'Nodes', stream.nodes));
  return element;
}

function list(head, label, items) {
  const element = make('div', 'members');
  const list = make('ul');
  list.setAttribute('aria-label', label);
  list.append(...items.map((item) => chip('li', item)));
  element.append(make('span', 'quiet-text', head), list);
  return element;
}

function chip(tag, { name, state, text, title }) {
  const element = make(tag, 'pill member');
  element.dataset.state = state;
  element.title = title;
  const dot = make('span', 'dot');
  dot.setAttribute('aria-hidden', 'true');
  element.append(dot, make('b', '', name), make('span', 'member-text', text));
  return element;
}

function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
