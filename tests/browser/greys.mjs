// Whether a picture has no colour.

/** What the channels of a pixel may differ by: grounds are not quite grey. */
const TINT = 14;

/** Whether the PNG has nothing but greys. It is decoded in an empty page: the policy of ours lets
 * no picture in. */
export async function greys(context, png) {
  const empty = await context.newPage();
  const most = await empty.evaluate(async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const drawing = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
    drawing.drawImage(picture, 0, 0);
    const { data } = drawing.getImageData(0, 0, picture.width, picture.height);
    let most = 0;
    for (let i = 0; i < data.length; i += 4) {
      const pixel = [data[i], data[i + 1], data[i + 2]];
      most = Math.max(most, Math.max(...pixel) - Math.min(...pixel));
    }
    return most;
  }, png.toString('base64'));
  await empty.close();
  return most <= TINT;
}
