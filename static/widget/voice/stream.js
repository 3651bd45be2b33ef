/**
 * The address on this page of a sound that comes. A browser that can plays it while it comes; for
 * the others, and of a kind that only plays whole, it is waited for.
 * @param {Response} response
 * @returns {Promise<string>}
 */
export async function streamed(response) {
  const type = response.headers.get("Content-Type") ?? "";
  const { body } = response;
  if (!body || !globalThis.MediaSource?.isTypeSupported(type)) {
    return URL.createObjectURL(await response.blob());
  }
  const reader = body.getReader();
  /** Kept: where another player takes it over it begins anew. @type {Promise<ReadableStreamReadResult<any>>[]} */
  const pieces = [];
  const read = () => {
    const piece = reader.read();
    pieces.push(piece);
    piece.then(({ done }) => done || read(), () => {});
  };
  read();
  const source = new MediaSource();
  source.onsourceopen = async () => {
    const buffer = source.addSourceBuffer(type);
    const mine = () => source.sourceBuffers[0] === buffer;
    try {
      for (let n = 0; ; n++) {
        const { value, done } = await pieces[n];
        if (!mine()) return;
        if (done) return source.endOfStream();
        buffer.appendBuffer(value);
        await new Promise((end) => (buffer.onupdateend = end));
      }
    } catch {
      if (mine()) source.endOfStream("network"); // which its player takes for an error
    }
  };
  return URL.createObjectURL(source);
}
