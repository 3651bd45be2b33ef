import { uuid } from "./storage.js";

/**
 * @typedef {object} Entry
 * @property {string} client_id
 * @property {string} text
 * @property {number} at when it was said, by this device's clock
 * @property {"waiting" | "failed"} state
 * @property {string} [error] words for a person
 * @property {string} [by] the tab that sent it last
 * @property {number} [sent] when
 */

/** So long a message that another tab has sent is left to that tab. */
const LEASE = 15_000;

/** What the visitor has said and the server has not yet acknowledged; shared by all tabs. */
export class Outbox {
  /** @type {Entry[]} */
  #entries;
  #store;
  #send;
  #changed;
  #tab;
  #timer = 0;
  /** Sent over the line as it stands now. @type {Set<string>} */
  #fresh = new Set();

  /**
   * @param {object} options
   * @param {import("./storage.js").Store} options.store
   * @param {(frame: object) => boolean} options.send false: there is no line
   * @param {() => void} options.changed
   * @param {AbortSignal} [options.signal]
   * @param {string} [options.tab] the same after a reload of the tab
   */
  constructor({ store, send, changed, signal, tab = tabName() }) {
    this.#store = store;
    this.#send = send;
    this.#changed = changed;
    this.#tab = tab;
    this.#entries = store.get("outbox") ?? [];
    const follow = ({ key }) => {
      if (key !== store.key("outbox") && key !== null) return;
      this.#read();
      changed();
    };
    addEventListener("storage", follow, { signal });
    signal?.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** @returns {readonly Entry[]} in the order they were said */
  get entries() {
    return this.#entries;
  }

  /** Keeps the words, then sends them if there is a line. */
  add(text) {
    this.#write([...this.#read(), { client_id: uuid(), text, at: Date.now(), state: "waiting" }]);
    return this.flush();
  }

  /** A new line: what went over the old one may be lost, so it is sent again (once it is stored). */
  resend() {
    this.#fresh.clear();
    return this.flush();
  }

  /** Sends what waits, in order. One tab at a time, and none repeats what another has just sent. */
  flush() {
    return this.#store.alone("outbox", () => {
      const now = Date.now();
      const theirs = ({ by, sent = 0 }) => by !== this.#tab && Math.abs(now - sent) < LEASE;
      const entries = this.#read().map((entry) => {
        const { client_id, text, state } = entry;
        if (state !== "waiting" || this.#fresh.has(client_id)) return entry;
        if (theirs(entry)) {
          this.#later(LEASE); // unless it has gone by then
          return entry;
        }
        if (!this.#send({ type: "message", client_id, text })) return entry;
        this.#fresh.add(client_id);
        return { ...entry, by: this.#tab, sent: now };
      });
      this.#write(entries);
    });
  }

  /** The server has it. */
  acknowledge(clientId) {
    if (!this.#entries.some((entry) => entry.client_id === clientId)) return;
    this.#write(this.#read().filter((entry) => entry.client_id !== clientId));
  }

  /** The server refused it: for good, or until `retry_after` seconds have passed. */
  refuse({ client_id: clientId, message, final, retry_after: seconds }) {
    this.#fresh.delete(clientId);
    if (final) this.#change(clientId, { state: "failed", error: message });
    else this.#later((seconds ?? 2) * 1000);
  }

  /** The visitor wants a failed one sent again. */
  retry(clientId) {
    this.#change(clientId, { state: "waiting", error: undefined, by: undefined });
    return this.flush();
  }

  #later(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), delay);
  }

  #change(clientId, change) {
    const same = (entry) => entry.client_id === clientId;
    this.#write(this.#read().map((entry) => (same(entry) ? { ...entry, ...change } : entry)));
  }

  #read() {
    return (this.#entries = this.#store.get("outbox") ?? []);
  }

  #write(entries) {
    this.#entries = entries;
    this.#store.set("outbox", entries.length ? entries : null);
    this.#changed();
  }
}

/** A name for this tab that outlives a reload. */
function tabName() {
  try {
    return (sessionStorage["sales-chat:tab"] ??= uuid());
  } catch {
    return uuid();
  }
}
