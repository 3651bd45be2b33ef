/** @typedef {{text: string, off?: number, size?: number}} Part what is said, and where that is written */

/** @typedef {{message: string, n: number, text: string}} Segment `n` from 0 */

/**
 * @typedef {object} Engine makes the sound, one segment at a time
 * @property {(segment: Segment) => Promise<void>} say fulfilled when it has been said
 * @property {(segment: Segment) => void} [ready] it will be the next to be said
 * @property {() => void} pause
 * @property {() => void} resume
 * @property {() => void} stop at once; nothing of what was asked for is fetched any more
 */

/** Says a message segment by segment, in order, also while it is still being written. */
export class Speaker {
  /** What is being said; "" while nothing is. */
  message = "";
  /** @type {Part[]} */
  parts = [];
  /** The segment that is said, or waited for. */
  at = 0;
  paused = false;
  /** All of its segments are known. */
  #whole = false;
  /** Waits for a segment that is not there yet. */
  #waits = false;
  #turn = 0;
  #first;
  #engine;
  #changed;
  #failed;

  /**
   * @param {Engine} engine
   * @param {() => void} changed what is said, or how far it is
   * @param {(error: Error) => Engine | undefined} failed gives another engine, or nothing
   */
  constructor(engine, changed, failed) {
    this.#first = this.#engine = engine;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** @param {string} message @returns {boolean} whether that is being said and known to its end */
  whole(message) {
    return this.#whole && message === this.message;
  }

  /** @param {string} message @param {Part[]} parts @param {boolean} whole there are no more */
  begin(message, parts, whole) {
    this.stop();
    this.#engine = this.#first;
    Object.assign(this, { message, parts });
    this.#whole = whole;
    this.#go();
  }

  /** One more of what is being said. @param {number} n @param {Part} part @param {boolean} [last] */
  add(n, part, last = false) {
    this.parts[n] ??= part;
    this.#whole ||= last;
    if (this.#waits) this.#go();
    else this.#prepare();
    this.#changed();
  }

  pause() {
    this.paused = true;
    this.#engine.pause();
    this.#changed();
  }

  resume() {
    this.paused = false;
    if (this.#waits) this.#go();
    else this.#engine.resume();
    this.#changed();
  }

  /** Goes on from another segment. @param {number} n */
  seek(n) {
    this.#engine.stop();
    this.paused = false;
    this.at = Math.max(0, Math.min(n, this.parts.length - 1));
    this.#go();
  }

  stop() {
    this.#turn++;
    this.#engine.stop();
    Object.assign(this, { message: "", parts: [], at: 0, paused: false });
    this.#waits = this.#whole = false;
    this.#changed();
  }

  async #go() {
    const turn = ++this.#turn;
    this.#waits = false;
    for (let part; !this.paused && (part = this.parts[this.at]); ) {
      this.#changed();
      try {
        const said = this.#engine.say({ message: this.message, n: this.at, text: part.text });
        this.#prepare();
        await said;
        if (turn === this.#turn) this.at++;
      } catch (error) {
        if (turn !== this.#turn) return;
        this.#engine.stop();
        const other = this.#failed(/** @type {Error} */ (error));
        if (!other) return this.stop();
        this.#engine = other;
      }
      if (turn !== this.#turn) return;
    }
    if (this.#whole && this.at >= this.parts.length) return this.stop();
    this.#waits = true;
    this.#changed();
  }

  #prepare() {
    const n = this.at + 1;
    if (n in this.parts) this.#engine.ready?.({ message: this.message, n, text: this.parts[n].text });
  }
}
