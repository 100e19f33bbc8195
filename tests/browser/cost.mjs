/** What the page costs in `seconds`, from the browser's own counters, and then the gaps between
 * frames for two seconds. */
export async function cost(context, page, seconds) {
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  const read = async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const before = await read();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await read();
  // afterwards: to ask for every frame costs something itself
  const gaps = await page.evaluate(() => new Promise((resolve) => {
    const gaps = [];
    const start = performance.now();
    let last = start;
    requestAnimationFrame(function next(now) {
      gaps.push(now - last);
      last = now;
      if (now - start < 2000) requestAnimationFrame(next);
      else resolve(gaps.sort((a, b) => a - b));
    });
  }));
  await session.detach();
  const elapsed = after.Timestamp - before.Timestamp;
  const perSecond = (name) => Math.round(((after[name] - before[name]) / elapsed) * 10000) / 10;
  return {
    'main thread, ms a second': perSecond('TaskDuration'),
    'script, ms a second': perSecond('ScriptDuration'),
    'style and layout, ms a second': Math.round((perSecond('RecalcStyleDuration') + perSecond('LayoutDuration')) * 10) / 10,
    'heap, MiB': Math.round(after.JSHeapUsedSize / 2 ** 20),
    'elements': after.Nodes,
    'frame, ms (median, 99 %, longest)': [0.5, 0.99, 1].map((part) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))])).join(', '),
  };
}
