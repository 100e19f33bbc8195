// What is looked at, as the address of the page: a link to a type, a search, a time.
//
//     #q=plant/*&view=tree&sort=-time&type=plant/a
//     &history=plant/a&member=/value&span=1h&by=source_timestamp
//     #history=plant/a&history=plant/b&span=range&from=1795257000&to=1795258000

const VIEWS = ['latest', 'tree', 'stream'];
const SORTS = ['type', 'payload', 'time', 'age'];

/** What an address says; what it does not say, or says wrongly, is as on a page that was just
 * opened. */
export function read(hash) {
  const params = new URLSearchParams(hash.replace(/^#/, ''));
  const view = params.get('view');
  const [, minus, column] = /^(-?)(\w+)$/.exec(params.get('sort') ?? '') ?? [];
  const number = (name) => (params.get(name) !== null && /^-?\d+(\.\d+)?$/.test(params.get(name)) ? Number(params.get(name)) : null);
  const members = params.getAll('member');
  return {
    q: params.get('q') ?? '',
    view: VIEWS.includes(view) ? view : 'latest',
    sorting: SORTS.includes(column) ? { column, descending: minus === '-' } : { column: 'type', descending: false },
    type: params.get('type'),
    history: params.getAll('history').map((type, i) => ({ type, pointer: members[i] && members[i] !== '-' ? members[i].replace(/^=/, '') : undefined })),
    range: { span: params.get('span') ?? '1h', from: number('from'), to: number('to'), by: params.get('by') === 'source_timestamp' ? 'source_timestamp' : 'timestamp' },
  };
}

/** The address of what is looked at. */
export function written({ q, view, sorting, type, history, range }) {
  const params = new URLSearchParams();
  if (q) params.set('q', q);
  if (view !== 'latest') params.set('view', view);
  if (sorting.column !== 'type' || sorting.descending) params.set('sort', `${sorting.descending ? '-' : ''}${sorting.column}`);
  if (type !== null) params.set('type', type);
  for (const one of history) {
    params.append('history', one.type);
    // '' is a pointer, to the whole of a payload
    params.append('member', one.pointer === null || one.pointer === undefined ? '-' : `=${one.pointer}`);
  }
  if (history.length) {
    params.set('span', range.span);
    if (range.by !== 'timestamp') params.set('by', range.by);
    if (range.span === 'range') {
      if (range.from !== null) params.set('from', range.from);
      if (range.to !== null) params.set('to', range.to);
    }
  }
  const text = params.toString();
  return text ? `#${text}` : '';
}
