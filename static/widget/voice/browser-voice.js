const START = 4000; // milliseconds in which a voice begins, if it ever does
const LETTER = 140; // so long it takes for one at most, and longer than that it has forgotten to end

/** The browser's own voice. */
export class BrowserVoice {
  #tag;
  #manner;
  /** Kept, or a browser may lose it and with it its `end`. @type {SpeechSynthesisUtterance | undefined} */
  #saying;
  #text = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watch;
  #end = () => {};
  #fail = (/** @type {Error} */ _error) => {};

  /** @param {string} tag of the language @param {import("./voice.js").Manner} manner */
  constructor(tag, manner) {
    this.#tag = tag;
    this.#manner = manner;
  }

  /** @param {import("./speaker.js").Segment} segment @returns {Promise<void>} */
  say({ text }) {
    return new Promise((end, fail) => {
      this.#end = end;
      this.#fail = fail;
      this.#text = text;
      this.resume();
    });
  }

  /** On some phones a voice that pauses is lost: so it ends, and begins again at its last word. */
  pause() {
    this.stop();
  }

  /** Also with another speed or loudness. */
  resume() {
    this.stop();
    const { speechSynthesis: voices, SpeechSynthesisUtterance: Utterance } = globalThis;
    const silent = () => this.#fail(new Error("silent"));
    if (!voices) return silent();
    const { rate, volume, muted } = this.#manner;
    const text = this.#text;
    const saying = (this.#saying = new Utterance(text));
    const mine = (/** @type {() => void} */ act) => () => this.#saying === saying && act();
    saying.lang = this.#tag;
    saying.voice = chosen(voices.getVoices(), this.#tag);
    saying.rate = rate;
    saying.volume = muted ? 0 : volume;
    saying.onboundary = (event) => mine(() => (this.#text = text.slice(event.charIndex)))();
    saying.onend = mine(() => this.#done());
    saying.onerror = mine(silent);
    saying.onstart = mine(() => {
      this.#wait(() => this.#done(), 2000 + (text.length * LETTER) / rate);
    });
    this.#wait(silent, START);
    voices.speak(saying);
  }

  #done() {
    this.stop();
    this.#end();
  }

  /** @param {() => void} act @param {number} after */
  #wait(act, after) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(act, after);
  }

  stop() {
    clearTimeout(this.#watch);
    this.#saying = undefined;
    globalThis.speechSynthesis?.cancel();
  }
}

/**
 * The voice for a language: of its very region, the browser's own choice among several. Null leaves
 * it to the browser, which may have one that it does not name.
 * @param {SpeechSynthesisVoice[]} voices
 * @param {string} tag
 */
export function chosen(voices, tag) {
  const plain = (/** @type {string} */ name) => name.toLowerCase().replace("_", "-");
  const wanted = plain(tag);
  /** @param {SpeechSynthesisVoice} voice */
  const worth = (voice) => Number(plain(voice.lang) === wanted) * 2 + Number(voice.default);
  const fit = voices.filter(({ lang }) => plain(lang).split("-")[0] === wanted.split("-")[0]);
  return fit.sort((a, b) => worth(b) - worth(a))[0] ?? null;
}
