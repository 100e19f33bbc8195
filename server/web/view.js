// Everything but the table, the details and the form: the server, its clients, the rate, and the
// state of the connection.

import { age, count, exact, lasting, visibleName } from './format.js';
import { Chart } from './chart.js';
import { Cluster } from './cluster.js';

/** Milliseconds behind from which on the page says so. */
const BEHIND = 2000;

/** Milliseconds without a change until the page says that the server is silent: its rate changes
 * each second. */
const SILENT = 5000;

export class View {
  #part;
  #chart;
  #cluster;
  #rateVersion = -1;
  #clients = new Map();
  #said;
  /** What the title says of the server, and whether all is well. */
  #titled = 'hat';
  #live = false;
  #operational = false;

  constructor(root) {
    this.#part = Object.fromEntries(Array.from(root.querySelectorAll('[data-view]'), (element) => [element.dataset.view, element]));
    const { chart, chartTop, chartReadout, cluster } = this.#part;
    this.#cluster = new Cluster(cluster);
    this.#chart = new Chart({ svg: chart, top: chartTop, readout: chartReadout });
  }

  /** Says something for some seconds, also to a screen reader. */
  say(text) {
    clearTimeout(this.#said);
    const { toast } = this.#part;
    toast.textContent = text;
    toast.classList.add('shown');
    this.#said = setTimeout(() => toast.classList.remove('shown'), 4000);
  }

  draw(model, link, now) {
    const serverNow = model.now();
    this.#connection(model, link, now);
    if (model.state) this.#state(model, serverNow);
    const title = `${this.#live && this.#operational ? '' : '! '}${this.#titled}`;
    if (document.title !== title) document.title = title;
  }

  #state(model, serverNow) {
    const { server = {}, rate } = model.state;
    this.#server(server, serverNow);
    this.#cluster.draw(server.cluster, serverNow);
    if (this.#rateVersion !== model.rateVersion) {
      this.#rateVersion = model.rateVersion;
      this.#chart.draw(rate);
      write(this.#part.rate, this.#chart.last === null ? '–' : count(this.#chart.last));
    }
    this.#drawClients(model.state.clients ?? {}, serverNow);
  }

  #connection(model, link, now) {
    const { connection, connectionText, connectionWait, retry } = this.#part;
    const silent = now - model.heardAt;
    const lag = link.lag(now);
    let [state, text, wait] = ['connecting', 'Connecting', ''];
    if (link.phase === 'live' && silent < SILENT && lag < BEHIND) {
      [state, text] = ['live', 'Live'];
    } else if (link.phase === 'live' && silent < SILENT) {
      [state, text, wait] = ['behind', 'Behind', `by ${age(lag / 1000)}`];
    } else if (link.phase === 'live') {
      [state, text, wait] = ['silent', 'Server is silent', `for ${age(silent / 1000)}`];
    } else if (link.phase === 'waiting') {
      const left = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
      [state, text, wait] = ['waiting', 'Reconnecting', `in ${left} s`];
    }
    write(connectionText, text);
    // not in the live region: it would be read out each second
    write(connectionWait, wait);
    this.#live = state === 'live';
    if (connection.dataset.state !== state) {
      connection.dataset.state = state;
      connection.title = link.reason ? `The last connection was ended: ${link.reason.message}` : '';
      // from the first state on there is something that can be old, also without any events
      document.documentElement.dataset.stale = state !== 'live' && silent < Infinity;
      retry.hidden = state !== 'waiting';
    }
    const old = state !== 'live' && silent >= 1000 && silent < Infinity;
    write(this.#part.stale, old ? `Data ${age(silent / 1000)} old` : '');
  }

  /** How many rows are marked by rules, or may have to be, `{alarms, stale, unknown}`; null where
   * there are no rules. */
  drawMarks(counts) {
    const { marks, marksText } = this.#part;
    marks.hidden = counts === null && marks.getAttribute('aria-pressed') !== 'true';
    if (counts === null) return;
    const { alarms, stale, unknown } = counts;
    const state = alarms ? 'alarm' : stale || unknown ? 'stale' : 'calm';
    if (marks.dataset.state !== state) marks.dataset.state = state;
    const texts = [alarms || !stale ? `${count(alarms)} ${alarms === 1 ? 'alarm' : 'alarms'}` : '', stale ? `${count(stale)} stale` : '', unknown ? `${count(unknown)} not known` : ''];
    marks.title = unknown ? 'Show only rows that a rule marks, or may mark. Not known: the payload is too long for this table, or the event is ahead of the server’s clock, and its rule cannot look at it' : 'Show only rows that a rule marks';
    write(marksText, texts.filter(Boolean).join(' · '));
  }

  /** Why nothing can be sent to the server now, or null. */
  hindrance(model, link, now = performance.now()) {
    if (model.state?.server?.read_only) return 'This page is for looking only: the server registers nothing for it.';
    if (link.phase !== 'live') return 'There is no connection to the server: nothing can be sent.';
    if (now - model.heardAt >= SILENT) return 'The server is silent: nothing can be sent.';
    return null;
  }

  #server(server, serverNow) {
    const { name, identity, status, statusText, uptime, registered, kept, types } = this.#part;
    write(name, server.name ?? 'hat');
    write(identity, [`server ${server.server_id ?? '–'}`, ...(server.addresses ?? []), ...(server.reason ? [server.reason] : [])].join(' · '));
    if (status.dataset.state !== server.status) status.dataset.state = server.status;
    write(statusText, server.status ?? 'unknown');
    write(uptime, server.started === undefined ? '–' : lasting(serverNow - server.started));
    write(registered, count(server.registered));
    write(kept, count(server.events_kept));
    write(types, count(server.event_types));
    this.#titled = `${server.name ?? 'hat'} ${server.server_id ?? ''}`;
    this.#operational = server.status === 'operational';
  }

  #drawClients(clients, serverNow) {
    const ids = Object.keys(clients);
    write(this.#part.clientCount, count(ids.length));
    this.#part.noClients.hidden = ids.length > 0;
    for (const [id, { element }] of this.#clients) {
      if (Object.hasOwn(clients, id)) continue;
      element.remove();
      this.#clients.delete(id);
    }
    for (const id of ids) {
      let item = this.#clients.get(id);
      if (!item) {
        item = makeClient();
        this.#clients.set(id, item);
        this.#part.clients.append(item.element);
      }
      const { address, connected, persisted } = clients[id];
      // a client says itself what it is called
      const [name, ...subscriptions] = [clients[id].name, ...clients[id].subscriptions].map(visibleName);
      write(item.name, name);
      write(item.about, [address, persisted ? 'persisted' : '', subscriptions.join('  ') || 'no subscription'].filter(Boolean).join(' · '));
      write(item.age, lasting(serverNow - connected));
      const title = `${name} at ${address}, since ${exact([Math.floor(connected), 0])}\n${subscriptions.join('\n')}`;
      if (item.element.title !== title) item.element.title = title;
    }
  }
}

function makeClient() {
  const element = document.createElement('li');
  const part = (tag, className) => {
    const child = document.createElement(tag);
    child.className = className;
    element.append(child);
    return child;
  };
  return { element, name: part('span', 'client-name'), about: part('span', 'client-about'), age: part('span', 'client-age') };
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
