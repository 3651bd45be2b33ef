import { uuid } from "./storage.js";

/**
 * @typedef {object} Entry
 * @property {string} client_id
 * @property {string} text
 * @property {true} [voice] it was said aloud
 * @property {number} n its place among what waits, whatever the clock does
 * @property {number} at when it was said, by this device's clock
 * @property {"waiting" | "failed"} state
 * @property {string} [error] words for a person
 * @property {string} [by] the page that sent it last
 * @property {number} [sent] when
 */

const NAME = "outbox:";
const LEASE = 15_000; // so long a message that another tab has sent is left to that tab
const TURN = 2000; // and so long one that another tab has not sent yet

/**
 * What the visitor has said and the server has not yet acknowledged; shared by all tabs. Each
 * message is kept by itself, so that two tabs that write at once take nothing from each other.
 */
export class Outbox {
  /** @type {Entry[]} */
  #entries = [];
  #store;
  #send;
  #changed;
  #page = uuid();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /**
   * When this page may send each of them, by a clock that nobody sets; `Infinity`: it went over the
   * line as it stands.
   * @type {Map<string, number>}
   */
  #holds = new Map();

  /**
   * @param {object} options
   * @param {import("./storage.js").Store} options.store
   * @param {(frame: object) => boolean} options.send false: there is no line
   * @param {() => void} options.changed
   * @param {AbortSignal} [options.signal]
   */
  constructor({ store, send, changed, signal }) {
    this.#store = store;
    this.#send = send;
    this.#changed = changed;
    this.#read();
    store.follow(NAME, () => this.#follow(), signal);
    signal?.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** @returns {readonly Entry[]} in the order they were said */
  get entries() {
    return this.#entries;
  }

  /** Keeps the words, then sends them if there is a line. @param {string} text @param {true} [voice] */
  add(text, voice) {
    const n = 1 + Math.max(0, ...this.#read().map((entry) => entry.n));
    this.#write({ client_id: uuid(), text, voice, n, at: Date.now(), state: "waiting" });
    return this.flush();
  }

  /** A new line: what went over the old one may be lost, so it is sent again. */
  resend() {
    for (const [id, until] of this.#holds) if (until === Infinity) this.#holds.delete(id);
    return this.flush();
  }

  /** Sends what waits, in order. One tab at a time, and none repeats what another has just sent. */
  flush() {
    return this.#store.alone("outbox", () => {
      for (const entry of this.#read()) {
        const { client_id, text, voice, state } = entry;
        if (state === "failed") continue;
        const wait = this.#wait(entry);
        if (wait === Infinity) continue; // it is on its way
        if (wait > 0) break; // nothing overtakes what was said before it
        const consent = this.#store.get("consent") ?? undefined; // to what the site says first
        if (!this.#send({ type: "message", client_id, text, voice, consent })) break;
        this.#holds.set(client_id, Infinity);
        this.#write({ ...entry, by: this.#page, sent: Date.now() });
      }
      this.#later();
    });
  }

  /**
   * The server has it.
   * @param {string} id
   * @returns {boolean} whether it was for this page to send
   */
  acknowledge(id) {
    const entry = this.#find(id);
    if (!entry) return false;
    const mine = this.#holds.get(id) === Infinity || !this.#theirs(entry);
    this.#holds.delete(id);
    this.#write(entry, null);
    return mine;
  }

  /**
   * The server refused it: for good, or until `retry_after` seconds have passed.
   * @param {{client_id: string, message: string, final: boolean, retry_after?: number}} frame
   */
  refuse({ client_id: id, message, final, retry_after: seconds = 2 }) {
    const entry = this.#find(id);
    if (!entry) return;
    this.#holds.set(id, final ? 0 : performance.now() + seconds * 1000);
    const rest = { ...entry, by: undefined };
    this.#write(final ? { ...rest, state: "failed", error: message } : rest);
    this.#later();
  }

  /** The visitor wants a failed one sent again. @param {string} id */
  retry(id) {
    const entry = this.#find(id);
    if (entry) this.#write({ ...entry, state: "waiting", error: undefined, by: undefined });
    return this.flush();
  }

  /** The page goes: another may send at once what this one has not seen acknowledged. */
  release() {
    for (const entry of this.#read()) {
      if (entry.by === this.#page) this.#write({ ...entry, by: undefined });
    }
  }

  /** Forgets it all: somebody else is the visitor now. */
  clear() {
    for (const entry of this.#read()) this.#write(entry, null);
  }

  /** Another tab has said or let go of something; should it fail to send it, this one will. */
  #follow() {
    const now = performance.now();
    for (const { client_id: id, by } of this.#read()) {
      if (!by && !(Number(this.#holds.get(id)) > now)) this.#holds.set(id, now + TURN);
    }
    this.#later();
    this.#changed();
  }

  /**
   * For how long another tab's word holds that it has sent it; a clock that was set ends that.
   * @param {Entry} entry
   */
  #theirs({ by, sent = 0 }) {
    if (!by || by === this.#page) return 0;
    return Math.max(0, LEASE - Math.abs(Date.now() - sent));
  }

  /** How long this page leaves it alone. @param {Entry} entry */
  #wait(entry) {
    const held = (this.#holds.get(entry.client_id) ?? 0) - performance.now();
    return Math.max(0, held, this.#theirs(entry));
  }

  /** Comes back when the first of them may be sent. */
  #later() {
    clearTimeout(this.#timer);
    const waiting = this.#entries.filter(({ state }) => state === "waiting");
    const delays = waiting.map((entry) => this.#wait(entry)).filter((delay) => delay > 0);
    const delay = Math.min(...delays);
    if (delay < Infinity) this.#timer = setTimeout(() => this.flush(), delay);
  }

  /** @param {string} id */
  #find(id) {
    return this.#entries.find((entry) => entry.client_id === id);
  }

  #read() {
    const kept = this.#store.names(NAME).sort().map((name) => this.#store.get(name));
    this.#entries = kept.filter(Boolean).sort((a, b) => a.n - b.n || a.at - b.at);
    return this.#entries;
  }

  /** @param {Entry} entry @param {Entry | null} kept null: no more */
  #write(entry, kept = entry) {
    this.#store.set(NAME + entry.client_id, kept);
    this.#read();
    this.#changed();
  }
}
