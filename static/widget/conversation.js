import { Connection, backoff, pause } from "./connection.js";
import { Outbox } from "./outbox.js";
import { Session } from "./session.js";
import { Transcript } from "./transcript.js";

const QUIET = 5000; // a line that is back sooner was never gone for the visitor

/**
 * What the visitor and the company say to each other, without a page: opens it, keeps it in step,
 * sends what is said. Tells of itself by events: `change` (something to show), `finished` (a whole
 * new reply, in `detail`), `ready` (the site's answer to `init`, in `detail`), `sent` (the server
 * has what was said in this tab; `detail.id` is the `client_id`), `say` (the visitor speaks), `up`
 * (there is a new line) and `frame` (of the server, in `detail`).
 */
export class Conversation extends EventTarget {
  transcript = new Transcript();
  /** The visitor has waited for a line longer than is worth hiding. */
  offline = false;
  /** The server does not want this site or page. */
  unavailable = false;
  /** Words of the server that concern no single message. */
  notice = "";
  session;
  /** Who listens and who speaks. */
  voice = { input: "", output: "" };
  /** What is said now was said aloud. @type {true | undefined} */
  spoken;
  #store;
  #connection;
  #outbox;
  #signal;
  #opened = false;
  #round = 0;
  /** @type {import("./connection.js").Timer} */
  #typing;
  /** @type {import("./connection.js").Timer} */
  #timer;
  #refusals = 0;
  /** The hash of the identity, null for nobody. @type {string | null | undefined} */
  #who;

  /** @param {string} site @param {string} server @param {import("./storage.js").Store} store @param {AbortSignal} signal ends everything */
  constructor(site, server, store, signal) {
    super();
    this.#store = store;
    this.#signal = signal;
    this.session = new Session(site, server, store);
    this.#connection = new Connection(
      {
        hello: () => this.#hello(),
        position: () => this.transcript.position(),
        frame: (frame) => this.#frame(frame),
        line: (up) => this.#line(up),
        refused: (code) => this.#refused(code),
      },
      signal,
    );
    const send = (/** @type {object} */ frame) => this.#connection.send(frame);
    this.#outbox = new Outbox({ store, send, changed: () => this.#changed(), signal });
    addEventListener("pagehide", () => this.#outbox.release(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Opens the chat, the first time it is called. @returns {Promise<void>} */
  async open() {
    if (this.#opened) return;
    this.#opened = true;
    this.#line(false);
    const round = ++this.#round;
    const over = () => this.#signal.aborted || round !== this.#round;
    const answer = await this.session.reach(this.#signal, over);
    if (over()) return;
    if (!answer) return this.#refused(4403);
    this.transcript.load(answer);
    this.#acknowledge(answer.messages);
    this.voice = answer.voice;
    this.#tell("ready", answer);
    this.#changed();
    this.#connection.start(answer.socket, answer.heartbeat);
  }

  /**
   * The host page says who the visitor is, or (null) nobody it knows. Somebody else begins with
   * nothing; whoever was unknown so far takes the conversation along.
   * @param {import("./session.js").Identity | null} identity
   */
  identify(identity) {
    const who = identity?.hash ?? null;
    if (who === this.#who) return; // a page may say it again and again
    this.#who = who;
    const other = this.session.identify(identity);
    if (other) this.#empty();
    if (!this.#opened || (!other && !identity)) return;
    this.#connection.stop();
    this.#opened = false;
    this.open();
  }

  /** What the visitor has said that the server has not yet, as `Entry` of the outbox. */
  get pending() {
    return this.#outbox.entries.filter((entry) => !this.transcript.holds(entry.client_id));
  }

  /** Whether something the visitor said is kept by this page alone, and they should know. */
  get forgetful() {
    const said = () => this.transcript.all().some(({ role }) => role === "visitor");
    return !this.#store.kept && (this.pending.length > 0 || said());
  }

  /** @param {string} text */
  say(text) {
    this.#tell("say");
    this.notice = "";
    this.typing(false);
    return this.#outbox.add(text, this.spoken);
  }

  /** @param {string} clientId a message of the visitor that was refused */
  resend(clientId) {
    return this.#outbox.retry(clientId);
  }

  /** Ends the reply that is being written. */
  stop() {
    const open = this.transcript.open();
    if (open) this.do({ type: "stop", message: open.id });
  }

  /** @param {import("./transcript.js").Message} reply */
  regenerate({ id, attempt }) {
    this.do({ type: "regenerate", message: id, attempt: attempt ?? 1 });
  }

  /** @param {string} id a reply @param {1 | 0 | -1} value @param {string} [comment] why */
  feedback(id, value, comment) {
    this.do({ type: "feedback", message: id, value, comment });
  }

  restart() {
    this.do({ type: "restart" });
  }

  /** Says that the visitor is typing, and four seconds after the last key that they are not. */
  typing(on = true) {
    if (on !== Boolean(this.#typing)) this.#connection.send({ type: "typing", on });
    clearTimeout(this.#typing);
    this.#typing = on ? setTimeout(() => this.typing(false), 4000) : undefined;
  }

  /** Fetches the page of messages before the oldest known. */
  async earlier() {
    const { transcript } = this;
    const { conversation } = transcript;
    const oldest = transcript.all()[0];
    if (!oldest) return;
    const page = await this.session.before(oldest.seq).catch(() => null); // the button stays
    if (page && transcript.conversation?.id === conversation?.id) transcript.prepend(page);
    this.#changed();
  }

  /** For what makes no sense later: not kept, but spoken of. @param {object} frame @param {true} [quiet] or not even that */
  do(frame, quiet) {
    if (!this.#connection.send(frame) && !quiet) this.offline = true;
    this.#changed();
  }

  #hello() {
    const { rev, epoch } = this.transcript.position();
    return { ...this.session.facts(), token: this.session.token, rev, epoch };
  }

  /** @param {any} frame */
  #frame(frame) {
    if (frame.type === "error") return this.#error(frame);
    /** @type {import("./transcript.js").Message[]} */
    const messages = frame.messages ?? (frame.type === "message" ? [frame.message] : []);
    const finished = frame.full ? [] : messages.filter((message) => this.transcript.finishes(message));
    if (this.transcript.apply(frame)) this.#connection.ask();
    if (frame.type === "message") this.notice = "";
    this.#acknowledge(messages);
    for (const message of finished) this.#tell("finished", message);
    this.#tell("frame", frame);
    this.#changed();
  }

  /** @param {import("./transcript.js").Message[]} messages */
  #acknowledge(messages) {
    for (const { client_id: id } of messages) {
      if (id && this.#outbox.acknowledge(id)) this.#tell("sent", { id });
    }
  }

  /** @param {any} frame */
  #error(frame) {
    if (frame.client_id) this.#outbox.refuse(frame);
    if (!frame.client_id || !frame.final) this.notice = frame.message;
    this.#changed();
  }

  /** @param {boolean} up */
  #line(up) {
    clearTimeout(this.#timer);
    if (up) {
      this.offline = false;
      this.notice = "";
      this.#refusals = 0;
      this.#outbox.resend();
      this.#tell("up");
    } else {
      this.#timer = setTimeout(() => {
        this.offline = true;
        this.#changed();
      }, QUIET);
    }
    this.#changed();
  }

  /** @param {4401 | 4403 | 4409} code @returns {Promise<void>} */
  async #refused(code) {
    if (code === 4403) {
      console.warn(`Sales chat: ${location.origin} or this site is refused.`);
      this.unavailable = true;
      clearTimeout(this.#timer);
      return this.#changed();
    }
    if (code === 4409) this.#empty();
    await pause(backoff(this.#refusals++), this.#signal);
    this.#opened = false;
    return this.open();
  }

  /** What was said is erased, or somebody else's: nothing of it is kept or shown any more. */
  #empty() {
    this.session.erased();
    this.#outbox.clear();
    this.transcript = new Transcript();
    this.#changed();
  }

  /** @param {string} event @param {object} [detail] */
  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
