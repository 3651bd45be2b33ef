/** Interim words too, which other types of the browser's do not name. @typedef {any} Recognition */

/**
 * The browser's own recognition, on the device where it can.
 * @param {string} tag of the language
 * @param {import("./listener.js").Ears} ears
 * @returns {import("./listener.js").Session | undefined} nothing where it has none
 */
export function recognised(tag, { heard, end, where }) {
  const page = /** @type {any} */ (globalThis);
  const Kind = page.SpeechRecognition ?? page.webkitSpeechRecognition;
  if (!Kind) return;
  const space = /^(ja|zh)/.test(tag) ? "" : " ";
  let over = false;
  /** @type {string | undefined} */
  let why;
  /** @type {Recognition} */
  const it = new Kind();
  Object.assign(it, { lang: tag, continuous: true, interimResults: true });
  it.onresult = (/** @type {any} */ { results }) => {
    const texts = [...results].map(([{ transcript }]) => transcript.trim());
    heard(texts.join(space));
  };
  it.onerror = (/** @type {any} */ { error }) => (why = error);
  it.onend = () => end(why);
  const begin = (/** @type {string | undefined} */ local) => {
    if (over) return end();
    it.processLocally = local === "available";
    where(it.processLocally ? "device" : "browser");
    it.start();
  };
  const asked = Promise.resolve(Kind.available?.({ langs: [tag], processLocally: true }));
  asked.catch(() => "").then(begin).catch(() => end("unable"));
  return {
    stop() {
      over = true;
      it.stop();
    },
    abort() {
      over = true;
      it.abort();
    },
  };
}
