/** The contrast of each text in the page with what it stands on, as WCAG 2 counts it. Runs in the
 * page. */
export function contrasts() {
  const parse = (text) => {
    const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    // `color(srgb 0.1 0.2 0.3 / 0.5)` counts to 1
    const scaled = text.startsWith('color') ? numbers.slice(0, 3).map((n) => n * 255) : numbers.slice(0, 3);
    return [...scaled, numbers[3] ?? 1];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const grounds = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      // the strongest colour of a gradient stands for it
      const last = style.backgroundImage.match(/(rgba?|color)\([^)]*\)/g)?.at(-1);
      if (last) layers.push(parse(last));
      layers.push(parse(style.backgroundColor));
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const luminance = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((n) => (n / 255 <= 0.04045 ? n / 255 / 12.92 : ((n / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  // as marked as a row can be
  const rows = Array.from(document.querySelectorAll('.row:not([hidden])'), (row, i) => {
    const { heat } = row.dataset;
    row.dataset.heat = 1 + (i % 3);
    return () => (row.dataset.heat = heat);
  });
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || element.closest('noscript')) continue;
    const ground = grounds(element);
    const [light, dark] = [luminance(over(parse(getComputedStyle(element).color), ground)), luminance(ground)].sort((a, b) => b - a);
    const ratio = Math.round(((light + 0.05) / (dark + 0.05)) * 100) / 100;
    const key = `${element.tagName} ${element.className} ${ratio}`;
    if (!found.has(key)) found.set(key, { element: `${element.tagName.toLowerCase()}.${element.className}`, text: text.slice(0, 30), ratio });
  }
  for (const restore of rows) restore();
  return [...found.values()];
}
