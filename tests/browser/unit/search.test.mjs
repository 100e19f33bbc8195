// What a search finds, names that are cut, rules, files, and plots.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Names } from '../../../server/web/names.js';
import { isStale, isUnsure, Rules, rulesOf } from '../../../server/web/rules.js';
import { finder, hasWord, hint, member, narrows, parse, seconds } from '../../../server/web/search.js';
import { csv, jsonLines } from '../../../server/web/export.js';
import { numbers, pointsOf } from '../../../server/web/history.js';
import { read, written } from '../../../server/web/place.js';
import { eventsAt, heldUntil, valueAt } from '../../../server/web/trend.js';

const json = (value) => ({ json: { text: JSON.stringify(value), size: 1 } });
const event = (payload = null, timestamp = [1000, 0], source_timestamp = null) => ({ id: [1, 1, 1], timestamp, source_timestamp, payload });
const row = (type, ...rest) => ({ type, parts: type.split('/'), event: event(...rest) });
const finds = (query, ...rest) => finder(query, () => 1060)(row(...rest));

test('words are in the type, and numbers are whole', () => {
  assert.ok(finds('bay 1', 'plant/bay 1/breaker'));
  assert.ok(!finds('bay 1', 'plant/bay 10/breaker'));
  assert.ok(finds('1 bay', 'plant/bay 1/breaker'));
  assert.ok(!finds('"1 bay"', 'plant/bay 1/breaker'));
  assert.ok(finds('"BAY 1', 'plant/bay 1/breaker'));
  assert.ok(!finds('"bay 1"', 'plant/bay 10/breaker 1'));
  assert.ok(finds('bay1', 'plant/bay1/bay10') && !finds('bay1', 'plant/bay10'));
  assert.ok(hasWord('11 1 1', '1 1') && !hasWord('11 11', '1 1'));
  assert.ok(finds('', 'a') && finds('  ', ''));
});

test('a query type has its signs anywhere', () => {
  assert.ok(finds('*/position', 'plant/bay 1/position'));
  assert.ok(finds('plant/*/position', 'plant/position'));
  assert.ok(finds('plant/?/position', 'plant/x/position') && !finds('plant/?/position', 'plant/x/y/position'));
  assert.ok(finds('plant/bay*/?os?', 'plant/bay 7/pos'));
  assert.ok(finds('load/?/unit 48/*', 'load/area 8/unit 48/value'));
  assert.ok(finds('pos plant/*', 'plant/x/position') && !finds('pos plant/*', 'site/x/position'));
  assert.ok(!finds(`${'*a'.repeat(20)}b`, 'a'.repeat(1000)));
});

test('payloads and ages are conditions', () => {
  assert.ok(finds('/value > 5', 'a', json({ value: 6 })) && !finds('/value > 5', 'a', json({ value: 5 })));
  assert.ok(finds('a /x/0<=-1', 'a/b', json({ x: [-1] })));
  assert.ok(finds('payload = true', 'a', json(true)) && !finds('payload = true', 'a'));
  assert.ok(finds('/level = critical', 'a', json({ level: 'critical' })) && !finds('/level != critical', 'a', json({ level: 'critical' })));
  assert.ok(finds('/text ~ "high temp"', 'a', json({ text: 'High temperature' })));
  assert.ok(!finds('/value > 5', 'a', { json: { text: '[1,', size: 3 } }));
  assert.ok(finds('age > 50s', 'a') && !finds('age > 2m', 'a'));
  assert.ok(finds('delay>5', 'a', null, [1000, 0], [990, 0]) && !finds('delay>5', 'a'));
  assert.match(parse('age > soon').problem, /write a time/);
  assert.ok(!finds('age > soon', 'a'));
  // a slash within a word is none
  assert.ok(finds('a/b=c', 'x/a/b=c'));
  assert.deepEqual([seconds('1.5 m'), seconds('2h'), seconds('250ms'), seconds('x')], [90, 7200, 0.25, null]);
  assert.equal(member({ 'a/b': { '~': [1] } }, '/a~1b/~0/0'), 1);
});

test('a search that finds nothing says what is amiss', () => {
  const rows = [row('plant/boiler 1/temperature'), row('plant/boiler 2/temperature')];
  assert.equal(hint('plant turbine', rows), 'Without “turbine” 2 types match.');
  assert.equal(hint('temperaturr', rows), 'There are types with “temperatur”.');
  assert.equal(hint('turbine?', rows), 'A query type goes from the first subtype to the last: `?` is one of them, `*` any number.');
  assert.equal(hint('boiler*', rows), 'A query type goes from the first subtype to the last: try */boiler*/*');
  assert.equal(hint('plant payload = 7', rows), 'Types match by their names, but none has a payload or an age like that.');
});

test('names are cut where they are alike', () => {
  const names = new Names();
  const types = [];
  for (let station = 9; station <= 11; station++) {
    for (let bay = 1; bay <= 3; bay++) types.push(`plant/central/substation ${station}/bay ${bay}/breaker/position`);
  }
  types.push('plant/central/substation 9/bay 1/breaker/position of its disconnector');
  for (const type of types) names.add(type.split('/'));
  const fit = (most) => types.map((type) => names.fit(type.split('/'), most));
  assert.deepEqual(fit(200), types);
  assert.equal(fit(46)[0], '…/central/substation 9/bay 1/breaker/position');
  assert.equal(fit(40)[0], '…/substation 9/bay 1/breaker/position');
  for (const most of [48, 40, 32, 24, 1]) assert.equal(new Set(fit(most)).size, types.length, `${most}: ${fit(most)}`);
  assert.equal(fit(24)[3], '…/s…10/bay 1/…/position');
  names.add(['other']);
  names.add(['plant', 'cellar']);
  for (const most of [48, 40, 32, 24, 1]) assert.equal(new Set(fit(most)).size, types.length, `${most}: ${fit(most)}`);
  assert.equal(names.fit(types[3].split('/'), 33), 'plant/central/s…10/b…1/…/position');
  for (const one of [['other'], ['plant', 'cellar']]) names.remove(one);
  for (const type of types.slice(1)) names.remove(type.split('/'));
  assert.deepEqual([names.root.count, names.root.children.get('plant').count], [1, 1]);
});

test('rules light rows, and count those that are too old', () => {
  const rules = new Rules();
  assert.equal(rules.set('alarm */alarm /level = critical\n\nstale plant/* 60s'), null);
  const rows = new Map([row('plant/alarm', json({ level: 'critical' })), row('plant/x'), row('site/y')].map((it) => [it.type, it]));
  rules.all(rows);
  const [alarm, old, other] = rows.values();
  assert.deepEqual([alarm.alarm, old.alarm], ['*/alarm /level = critical', undefined]);
  assert.deepEqual(rules.counts(1061), { alarms: 1, stale: 2, unknown: 0 });
  assert.deepEqual([isStale(old, 1059), isStale(old, 1061), isStale(other, 9999)], [false, true, false]);
  alarm.event = event(json({ level: 'none' }), [1061, 0]);
  rules.changed(alarm);
  assert.deepEqual(rules.counts(1061), { alarms: 0, stale: 1, unknown: 0 });
  rules.gone(old);
  assert.deepEqual(rules.counts(1061), { alarms: 0, stale: 0, unknown: 0 });
  assert.match(rulesOf('alarm').problem, /^Line 1: write what is to be marked/);
  assert.match(rulesOf('\nstale plant/*').problem, /^Line 2: write how old/);
  assert.match(rulesOf('warn x').problem, /^Line 1: write “alarm”/);
  assert.match(rulesOf('alarm age > 5s').problem, /does not depend on the age/);
});

test('what is ahead of a clock that was set back is not taken for new', () => {
  const ahead = row('plant/x', json(1), [4600, 0]);
  const found = (query, unknown) => finder(query, () => 1060, unknown)(ahead);
  for (const query of ['age < 5s', 'age > 40m']) assert.deepEqual([found(query, false), found(query, true)], [false, true], query);
  const rules = new Rules();
  rules.set('stale plant/* 60s');
  rules.all(new Map([['plant/x', ahead], ['site/y', row('site/y', json(1), [4600, 0])]]));
  assert.deepEqual([isStale(ahead, 1060), isUnsure(ahead, 1060), rules.counts(1060)], [false, true, { alarms: 0, stale: 0, unknown: 1 }]);
  assert.deepEqual([isUnsure(ahead, 4600), rules.counts(4600)], [false, { alarms: 0, stale: 0, unknown: 0 }]);
  assert.deepEqual([isStale(ahead, 4661), rules.counts(4661)], [true, { alarms: 0, stale: 1, unknown: 0 }]);
  // a clock that is known only so well
  assert.ok(!isUnsure(ahead, 4596));
  rules.set('');
  rules.all(new Map([['plant/x', ahead]]));
  assert.ok(!isUnsure(ahead, 1060));
});

test('a query is narrower than another where its terms say so', () => {
  for (const [narrow, wide] of [['a', ''], ['pumps', 'pump'], ['b a', 'a'], ['a/* "x"', 'a/*'], ['a age > 5s', 'a'], ['bay 1', 'bay']]) assert.ok(narrows(narrow, wide), `${narrow} in ${wide}`);
  // numbers are whole
  for (const [narrow, wide] of [['', 'a'], ['pump', 'pumps'], ['bay 10', 'bay 1'], ['bay10', 'bay1'], ['a', 'a age > 5s'], ['x', 'age > soon'], ['a/b', 'a/*']]) assert.ok(!narrows(narrow, wide), `${narrow} in ${wide}`);
});

test('the address says what is looked at', () => {
  const at = {
    q: '"bay 1" /value > 5', view: 'tree', sorting: { column: 'time', descending: true }, type: 'a%2Fb/c d',
    history: [{ type: 'a', pointer: '' }, { type: '', pointer: '/x~1y' }], range: { span: 'range', from: 10, to: 20.5, by: 'source_timestamp' },
  };
  assert.deepEqual(read(written(at)), at);
  const none = read('');
  assert.equal(written(none), '');
  assert.deepEqual([none.view, none.type, none.sorting.column], ['latest', null, 'type']);
  assert.deepEqual([read('#view=x&sort=y&from=z').view, read('#sort=-y').sorting.column, read('#from=z').range.from], ['latest', 'type', null]);
});

test('what is shown becomes CSV and lines of JSON', () => {
  const events = [
    { ...event({ json: { text: '{"x": 1.50}', size: 11 } }, [1_700_000_000, 250], [1, 0]), type: 'a,b' },
    { ...event({ binary: { type: '=cmd', data: '+P8=', size: 2 } }, [1_700_000_000, 0]), type: '=1+1' },
    { ...event({ json: { text: '-Infinity', size: 9 } }), type: 'c' },
    { ...event(), type: '-5' },
  ];
  assert.deepEqual(csv(events).split('\r\n'), [
    'type,timestamp,source_timestamp,server,session,instance,payload_kind,payload_type,payload',
    '"a,b",2023-11-14T22:13:20.000250Z,1970-01-01T00:00:01.000000Z,1,1,1,json,,"{""x"": 1.50}"',
    '"[""=1+1""]",2023-11-14T22:13:20.000000Z,,1,1,1,binary,\'=cmd,+P8=',
    "c,1970-01-01T00:16:40.000000Z,,1,1,1,invalid,,'-Infinity",
    '-5,1970-01-01T00:16:40.000000Z,,1,1,1,,,',
    '',
  ]);
  const lines = jsonLines(events).trimEnd().split('\n');
  assert.equal(lines[0], '{"type":"a,b","id":[1,1,1],"timestamp":"2023-11-14T22:13:20.000250Z","source_timestamp":"1970-01-01T00:00:01.000000Z","payload":{"kind":"json","data":{"x": 1.50}}}');
  assert.deepEqual(JSON.parse(lines[2]).payload, { kind: 'invalid', text: '-Infinity' });
  assert.equal(JSON.parse(lines[3]).payload, null);
});

test('a file says which payloads are cut short', () => {
  const events = [{ ...event({ json: { text: '[1', size: 9000, truncated: true } }), type: 'c' }, { ...event(json(1)), type: 'd' }];
  assert.deepEqual(csv(events).split('\r\n'), [
    'type,timestamp,source_timestamp,server,session,instance,payload_kind,payload_type,payload,payload_size,payload_cut',
    'c,1970-01-01T00:16:40.000000Z,,1,1,1,json,,[1,9000,true',
    'd,1970-01-01T00:16:40.000000Z,,1,1,1,json,,1,1,',
    '',
  ]);
  assert.deepEqual(JSON.parse(jsonLines(events).split('\n')[0]).payload, { kind: 'json', text: '[1', size: 9000, cut: true });
});

test('a type that a text with slashes does not say is its segments in a file', () => {
  const of = (type) => {
    const [, line] = csv([{ ...event(), type }]).split('\r\n');
    const { type: text, segments } = JSON.parse(jsonLines([{ ...event(), type }]));
    return [line.slice(0, line.indexOf(',1970')), text, segments];
  };
  assert.deepEqual(of('a b/c'), ['a b/c', 'a b/c', undefined]);
  assert.deepEqual(of('50 %/5%x'), ['50 %/5%x', '50 %/5%x', undefined]);
  assert.deepEqual(of('a%2Fb/c'), ['"[""a/b"",""c""]"', 'a/b/c', ['a/b', 'c']]);
  assert.deepEqual(of('%252F'), ['%2F', '%2F', undefined]);
  assert.deepEqual(of('%2525'), ['%25', '%25', undefined]);
  assert.deepEqual(of('%25_'), ['%_', '%_', undefined]);
  assert.deepEqual(of(''), ['[]', '', []]);
  assert.deepEqual(of('%_'), ['"[""""]"', '', ['']]);
  assert.deepEqual(of('a/'), ['"[""a"",""""]"', 'a/', ['a', '']]);
  assert.deepEqual(of('a/?'), ['"[""a"",""?""]"', 'a/?', ['a', '?']]);
  assert.deepEqual(of('["a"]'), ['"[""[\\""a\\""]""]"', '["a"]', undefined]);
});

test('a value holds until the end of the plot, and no event is made up', () => {
  const points = [[1, 2], [5, 6]];
  assert.deepEqual(heldUntil(points, 9), [[1, 2, 9], [5, 6, 6]]);
  for (const until of [2, 1, null]) assert.equal(heldUntil(points, until), points);
  assert.deepEqual(heldUntil([[], []], 9), [[], []]);
  // an event at the end has its mark, what was added there has none
  assert.deepEqual(eventsAt([1, 2], [5, 6], null), [0, 1]);
  assert.deepEqual(eventsAt([1, 2, 9], [5, undefined, 5], 9), [0]);
  assert.deepEqual(eventsAt([1], [5], null), [0]);
});

test('numbers of a payload, and the points of a plot', () => {
  assert.deepEqual(numbers(5), ['']);
  assert.deepEqual(numbers({ a: 'x', 'b/c': { d: 1 }, e: 2 }), ['/e', '/b~1c/d']);
  const at = (s, value, source = null) => ({ ...event(json(value), [s, 0], source), id: [1, 1, s] });
  const series = { pointer: '/v', events: [at(4, { v: 'x' }), at(3, { v: true }), at(2, { v: 7 }), at(2, { v: 6 }), at(1, { v: 5 })] };
  assert.deepEqual(pointsOf(series, 'timestamp'), [[1, 2, 3, 4], [5, 7, 1, null]]);
  // an event of another series is no event of this one; one without the number ends the value
  assert.deepEqual([valueAt([1, 2, 3], [5, undefined, 7], 2.5), valueAt([1, 2, 3], [5, null, 7], 2.5), valueAt([1], [5], 0.5)], ['5', '–', '–']);
  // nor does anybody know what is after the time until which events are known
  assert.deepEqual([valueAt([1, 9], [5, 5], 9, 9), valueAt([1, 9], [5, undefined], 9, 8)], ['5', '–']);
});

test('numbers that JavaScript does not have are not shown as others', () => {
  const at = (s, text) => ({ ...event({ json: { text, size: text.length } }, [s, 0]), id: [1, 1, s] });
  const series = { pointer: '/v', events: [at(4, '{"v": 12345678901234567890}'), at(3, '{"v": NaN}'), at(2, '{"v": 1e400}'), at(1, '{"v": -0}')] };
  assert.deepEqual(pointsOf(series, 'timestamp'), [[1, 2, 3, 4], [-0, null, null, 12345678901234567000]]);
  assert.equal(valueAt([1], [12345678901234567000], 2), '≈ 12345678901234567000');
});

test('a payload that is cut short, or has numbers of Python, is not lost to rules and searches', () => {
  const long = row('plant/alarm', { json: { text: '{"level": "crit', size: 9000, truncated: true } });
  const other = row('site/x', { json: { text: '{"level": "crit', size: 9000, truncated: true } });
  const python = row('plant/python/alarm', { json: { text: '{"text": "NaN \\" -Infinity", "level": "critical", "value": NaN, "low": -Infinity}', size: 80 } });
  const rules = new Rules();
  rules.set('alarm */alarm /level = critical');
  const rows = new Map([long, other, python].map((it) => [it.type, it]));
  rules.all(rows);
  assert.deepEqual([long.alarm, python.alarm], [undefined, '*/alarm /level = critical']);
  assert.deepEqual(rules.counts(0), { alarms: 1, stale: 0, unknown: 1 });
  assert.deepEqual([long, other, python].map((row) => isUnsure(row, 0)), [true, false, false]);
  rules.gone(long);
  assert.deepEqual(rules.counts(0), { alarms: 1, stale: 0, unknown: 0 });
  assert.deepEqual(['/text ~ "NaN"', '/value = NaN', '/low = -Infinity', '/value > 0'].map((query) => finder(query)(python)), [true, true, true, false]);
  const huge = row('a', { json: { text: '[1e400]', size: 7 } });
  assert.deepEqual(['/0 = null', '/0 > 5'].map((query) => finder(query)(huge)), [false, true]);
});
