import { Connection, backoff } from "./connection.js";
import { Outbox } from "./outbox.js";
import { Refused, Session } from "./session.js";
import { Transcript } from "./transcript.js";

const QUIET = 5000; // a line that is back sooner was never gone for the visitor

/**
 * What the visitor and the company say to each other, without a page: opens it, keeps it in step,
 * sends what is said. Tells of itself by events: `change` (something to show), `finished` (a whole
 * new reply, in `detail`) and `ready` (the site's answer to `init`, in `detail`).
 */
export class Conversation extends EventTarget {
  transcript = new Transcript();
  /** The visitor has waited for a line longer than is worth hiding. */
  offline = false;
  /** The server does not want this site or page. */
  unavailable = false;
  /** Words of the server that concern no single message. */
  notice = "";
  #session;
  #connection;
  #outbox;
  #signal;
  #opened = false;
  #typing = 0;
  #timer = 0;
  #refusals = 0;

  /**
   * @param {string} site
   * @param {string} server
   * @param {import("./storage.js").Store} store
   * @param {AbortSignal} signal ends everything
   */
  constructor(site, server, store, signal) {
    super();
    this.#signal = signal;
    this.#session = new Session(site, server, store);
    this.#connection = new Connection(
      {
        hello: () => ({ ...this.#facts(), token: this.#session.token, ...this.#place() }),
        position: () => this.transcript.position(),
        frame: (frame) => this.#frame(frame),
        line: (up) => this.#line(up),
        refused: (code) => this.#refused(code),
      },
      signal,
    );
    this.#outbox = new Outbox({
      store,
      send: (frame) => this.#connection.send(frame),
      changed: () => this.#changed(),
      signal,
    });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Opens the chat, the first time it is called; goes on trying until that worked. */
  async open() {
    if (this.#opened) return;
    this.#opened = true;
    this.#line(false);
    for (let attempt = 0, shut = 0; !this.#signal.aborted; attempt++) {
      try {
        return this.#begin(await this.#session.open(this.#facts()));
      } catch (error) {
        const { final, wait } = /** @type {Refused} */ (error);
        // A refused origin looks like a dead line, but for the loader that comes all the same.
        shut = error instanceof TypeError && (await this.#session.alive()) ? shut + 1 : 0;
        if (final || shut > 1) return this.#refused(4403);
        await this.#pause(wait ? wait * 1000 : backoff(attempt));
      }
    }
  }

  /** What the visitor has said that the server has not yet, as `Entry` of the outbox. */
  get pending() {
    return this.#outbox.entries.filter((entry) => !this.transcript.holds(entry.client_id));
  }

  /** @param {string} text */
  say(text) {
    this.notice = "";
    this.typing(false);
    return this.#outbox.add(text);
  }

  /** @param {string} clientId a message of the visitor that was refused */
  resend(clientId) {
    return this.#outbox.retry(clientId);
  }

  /** Ends the reply that is being written. */
  stop() {
    const open = this.transcript.open();
    if (open) this.#do({ type: "stop", message: open.id });
  }

  /** @param {import("./transcript.js").Message} reply */
  regenerate({ id, attempt }) {
    this.#do({ type: "regenerate", message: id, attempt: attempt ?? 1 });
  }

  restart() {
    this.#do({ type: "restart" });
  }

  /** Says that the visitor is typing, and four seconds after the last key that they are not. */
  typing(on = true) {
    if (on !== Boolean(this.#typing)) this.#connection.send({ type: "typing", on });
    clearTimeout(this.#typing);
    this.#typing = on ? setTimeout(() => this.typing(false), 4000) : 0;
  }

  /** Fetches the page of messages before the oldest known. */
  async earlier() {
    const oldest = this.transcript.all()[0];
    if (!oldest) return;
    try {
      this.transcript.prepend(await this.#session.before(oldest.seq));
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof TypeError)) throw error;
    }
    this.#changed();
  }

  /** What makes no sense later is not kept, but the visitor hears why nothing happens. */
  #do(frame) {
    if (!this.#connection.send(frame)) this.offline = true;
    this.#changed();
  }

  #facts() {
    const { href: url } = location;
    const page = { url, title: document.title, referrer: document.referrer };
    return { page, locale: navigator.language };
  }

  #place() {
    const { rev, epoch } = this.transcript.position();
    return { rev, epoch };
  }

  #begin(answer) {
    this.transcript.load(answer);
    this.dispatchEvent(new CustomEvent("ready", { detail: answer }));
    this.#changed();
    this.#connection.start(answer.socket, answer.heartbeat);
  }

  #frame(frame) {
    if (frame.type === "error") return this.#error(frame);
    const messages = frame.messages ?? (frame.type === "message" ? [frame.message] : []);
    const finished = frame.full ? [] : messages.filter((message) => this.#finishes(message));
    if (this.transcript.apply(frame)) this.#connection.ask();
    if (frame.type === "message") this.notice = "";
    for (const message of messages) {
      if (message.client_id) this.#outbox.acknowledge(message.client_id);
    }
    for (const detail of finished) this.dispatchEvent(new CustomEvent("finished", { detail }));
    this.#changed();
  }

  /** Whether these are whole words that nobody has heard; the greeting was there from the start. */
  #finishes({ id, seq, role, state }) {
    const news = state !== "streaming" && this.transcript.get(id)?.state !== state;
    return news && role !== "visitor" && seq > 1;
  }

  #error(frame) {
    if (frame.client_id) this.#outbox.refuse(frame);
    if (!frame.client_id || !frame.final) this.notice = frame.message;
    this.#changed();
  }

  #line(up) {
    clearTimeout(this.#timer);
    if (up) {
      this.offline = false;
      this.notice = "";
      this.#refusals = 0;
      this.#outbox.resend();
    } else {
      this.#timer = setTimeout(() => {
        this.offline = true;
        this.#changed();
      }, QUIET);
    }
    this.#changed();
  }

  async #refused(code) {
    if (code === 4403) {
      console.warn(`Sales chat: the server refuses this site, or ${location.origin} on it.`);
      this.unavailable = true;
      clearTimeout(this.#timer);
      return this.#changed();
    }
    if (code === 4409) this.#session.forget(); // erased: nothing of it is shown any more
    await this.#pause(backoff(this.#refusals++));
    this.#opened = false;
    return this.open();
  }

  /** Waits, but not past the moment the device comes back online. */
  #pause(delay) {
    return new Promise((resolve) => {
      const timer = setTimeout(done, delay);
      const signal = this.#signal;
      function done() {
        clearTimeout(timer);
        removeEventListener("online", done);
        resolve(undefined);
      }
      addEventListener("online", done, { signal });
      signal.addEventListener("abort", done, { once: true });
    });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
