// Runs page.mjs against backend.py: the page's test without a built `hat`.
//
//     PYTHON=python-with-hat-juggler node local.mjs [what page.mjs takes]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const PORT = process.env.PORT ?? '18930';
const here = (file) => new URL(file, import.meta.url).pathname;

let backend;
let loading;

async function start() {
  backend = spawn(process.env.PYTHON ?? 'python3', [here('backend.py'), PORT, '--types', '0'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { url } = JSON.parse((await once(createInterface({ input: backend.stdout }), 'line'))[0]);
  return url;
}

async function stop() {
  clearInterval(loading);
  backend.kill();
  await once(backend, 'exit');
}

const send = (events) => backend.stdin.write(events.map((event) => `${JSON.stringify(event)}\n`).join(''));

const wants = {
  register: ({ events }) => void send(events),
  load({ events, rate, seconds }) {
    let at = 0;
    loading = setInterval(() => {
      send(Array.from({ length: rate / 50 }, () => events[(at += 7919) % events.length]));
    }, 20);
    setTimeout(() => clearInterval(loading), seconds * 1000);
  },
  freeze: () => void backend.kill('SIGSTOP'),
  thaw: () => void backend.kill('SIGCONT'),
  stop,
  start,
};

const url = await start();
const test = spawn(process.execPath, [here('page.mjs'), url, ...process.argv.slice(2)], { stdio: ['pipe', 'pipe', 'inherit'] });
createInterface({ input: test.stdout }).on('line', async (line) => {
  const message = JSON.parse(line);
  if (!message.want) return console.log(message);
  await wants[message.want](message);
  test.stdin.write('done\n');
});
const [code] = await once(test, 'exit');
await stop();
process.exit(code);
