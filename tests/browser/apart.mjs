// A page whose clock can be moved on or stopped. The clock is that of all pages of a context, so it
// has one of its own.

/** Milliseconds until what must come is missing. */
const PATIENCE = Number(process.env.HAT_PAGE_PATIENCE ?? 30_000);

/** The page at `url` with `query` in its search, what it sends, and what tests ask of it. */
export async function apart(context, url, query) {
  const own = await context.browser().newContext({ viewport: { width: 1280, height: 800 } });
  const tab = await own.newPage();
  tab.setDefaultTimeout(PATIENCE);
  const sent = [];
  tab.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
  await tab.clock.install();
  await tab.goto(url);
  await tab.locator('.connection[data-state=live]').waitFor();
  await tab.locator('#search').fill(query);
  return {
    tab,
    sent,
    /** As the browser says it of a tab that nobody looks at. */
    hidden: (is) => tab.evaluate((is) => {
      Object.defineProperty(document, 'hidden', { value: is, configurable: true });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, is),
    payload: () => tab.locator('.row:visible .payload').first().textContent(),
    state: () => tab.locator('.connection').getAttribute('data-state'),
    /** What the visible rows have in a cell, from the top on. */
    cells: (cell) => tab.locator('.row:visible').evaluateAll((rows, cell) => rows
      .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((row) => row.querySelector(cell).textContent), cell),
    close: () => own.close(),
  };
}
