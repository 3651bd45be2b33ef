/**
 * @typedef {object} Message
 * @property {string} id
 * @property {number} seq
 * @property {number} rev
 * @property {"visitor" | "agent" | "staff" | "system"} role
 * @property {string} text
 * @property {"streaming" | "complete" | "interrupted" | "failed"} state
 * @property {string} created
 * @property {string} [client_id]
 * @property {string} [name]
 * @property {{title: string, url?: string}[]} [sources]
 * @property {number} [attempt]
 * @property {string} [reply_to]
 * @property {1 | 0 | -1} [feedback]
 * @property {string[]} [replies]
 * @property {{code: string, message: string}} [error]
 */

/** @typedef {{id: string, epoch: number, rev: number, state: string}} Known a conversation */

/** @typedef {{messages: Message[], earlier: boolean}} Page */

/**
 * @typedef {object} Status
 * @property {"status"} type
 * @property {string} state
 * @property {Known} conversation
 * @property {Message[]} messages
 * @property {{message: Message, off: number} | null} [open]
 * @property {boolean} [full]
 */

/** @typedef {{type: "message", message: Message, conversation?: string}} Stored */

/** @typedef {{type: "delta", message: string, attempt: number, off: number, text: string}} Delta */

/** @typedef {{type: "typing", role: string, on: boolean, stage?: string}} Typing */

const TYPING_LASTS = 60_000;

/** The conversation as this client knows it: frames go in, messages come out. Touches no page. */
export class Transcript {
  /** By `seq`, whatever any clock says. A message that changes is replaced, never written to. */
  /** @type {Message[]} */
  #messages = [];
  #stuck = false;
  #ahead = 0;
  /** @type {Known | null} */
  conversation = null;
  rev = 0;
  /** What the server says of itself: ready, limited, human or closing. */
  state = "ready";
  /** Whether the server holds messages older than these. */
  earlier = false;
  /** @type {{role: string, stage?: string, until: number} | null} */
  typing = null;

  /** Begins anew with what `init` answered. @param {Page & {conversation: Known, time?: string}} answer */
  load({ conversation, messages, earlier, time }, now = Date.now()) {
    this.#forget();
    if (time) this.#ahead = now - Date.parse(time);
    this.conversation = conversation;
    this.rev = conversation.rev;
    this.earlier = earlier;
    for (const message of messages) this.#put(message);
  }

  /** Adds a page of older messages. @param {Page} page */
  prepend({ messages, earlier }) {
    for (const message of messages) this.#put(message);
    this.earlier = earlier;
  }

  /**
   * Takes one frame of the server.
   * @param {any} frame
   * @param {number} [now] by a clock that nobody sets
   * @param {number} [clock] by the device's
   * @returns {boolean} true: something is missing, ask with `status`
   */
  apply(frame, now = performance.now(), clock = Date.now()) {
    switch (frame.type) {
      case "status":
        return this.#status(frame);
      case "message":
        return this.#message(frame, clock);
      case "delta":
        return this.#delta(frame);
      case "typing":
        this.#typing(frame, now);
    }
    return false; // what a newer server says beyond that is ignored
  }

  /** @returns {readonly Message[]} all messages, oldest first */
  all() {
    return this.#messages;
  }

  /** @returns {Message[]} those with something to show */
  visible() {
    return this.#messages.filter(({ text, state }) => text || state === "failed");
  }

  /** @returns {Message | undefined} the reply that is being written */
  open() {
    return this.#messages.findLast(({ state }) => state === "streaming");
  }

  /** @param {string} id @returns {Message | undefined} */
  get(id) {
    return this.#messages.findLast((message) => message.id === id);
  }

  /**
   * Whether these are whole words that nobody has heard; the greeting was there from the start.
   * @param {Message} message
   */
  finishes({ id, seq, role, state }) {
    const news = state !== "streaming" && this.get(id)?.state !== state;
    return news && role !== "visitor" && seq > 1;
  }

  /** @param {string} clientId @returns {boolean} whether a message of the visitor is stored */
  holds(clientId) {
    return this.#messages.some((message) => message.client_id === clientId);
  }

  /** The time by the server's clock: a device may be a day off, and "today" is right all the same. */
  now(now = Date.now()) {
    return now - this.#ahead;
  }

  /** Where this client stands, as `connect` and `status` say it. */
  position() {
    const { id, epoch } = this.conversation ?? {};
    return { rev: this.rev, conversation: id, epoch };
  }

  #forget() {
    this.#messages = [];
    this.rev = 0;
    this.earlier = false;
    this.typing = null;
  }

  /** @param {Status} frame */
  #status({ state, conversation, messages, open, full }) {
    const known = this.conversation;
    if (full || known?.id !== conversation.id || known?.epoch !== conversation.epoch) {
      this.#forget();
    }
    this.state = state;
    this.conversation = conversation;
    for (const message of messages) {
      this.#put(message);
      this.rev = Math.max(this.rev, message.rev);
    }
    if (open) this.#put(open.message);
    else this.typing = null;
    // More pages, or a status nobody asked for that ran ahead of its messages: ask, but never
    // twice for the same nothing.
    const behind = conversation.rev > this.rev;
    const ask = behind && (messages.length > 0 || !this.#stuck);
    this.#stuck = behind && !messages.length;
    if (behind && !ask) this.rev = conversation.rev;
    return ask;
  }

  /** @param {Stored} frame @param {number} clock */
  #message({ message, conversation }, clock) {
    if (conversation && conversation !== this.conversation?.id) return false; // of an ended one
    // One that is new, live and next in line was stored just now: what the two clocks differ by.
    const next = message.rev === this.rev + 1 && !this.get(message.id);
    if (next && message.seq > 1) this.#ahead = clock - Date.parse(message.created) || 0;
    this.#put(message);
    if (message.rev > this.rev + 1) return true;
    this.rev = Math.max(this.rev, message.rev);
    return false;
  }

  /** @param {Delta} frame */
  #delta({ message: id, attempt, off, text }) {
    const known = this.get(id);
    if (!known) return true;
    const current = known.attempt ?? 1;
    if (attempt < current || (attempt === current && known.state !== "streaming")) return false;
    const shown = attempt > current ? "" : known.text;
    if (off > shown.length) return true;
    const longer = shown + text.slice(shown.length - off);
    this.#set({ ...known, attempt, state: "streaming", text: longer });
    return false;
  }

  /** @param {Typing} frame @param {number} now */
  #typing({ role, on, stage }, now) {
    if (role === "visitor") return;
    this.typing = on ? { role, stage, until: now + TYPING_LASTS } : null;
  }

  /**
   * Stores a message unless what is known of it is newer; a growing text never shrinks.
   * @param {Message} next
   */
  #put(next) {
    const known = this.get(next.id);
    if (known) {
      const step = (next.attempt ?? 1) - (known.attempt ?? 1);
      if (next.rev < known.rev || step < 0) return;
      if (step === 0 && next.state === "streaming") {
        if (known.state !== "streaming") return;
        if (known.text.length > next.text.length) next = { ...next, text: known.text };
      }
    }
    this.#set(next);
  }

  /** Puts it in its place, which is mostly the last one. @param {Message} message */
  #set(message) {
    const messages = this.#messages;
    const before = messages.findLastIndex(({ seq }) => seq < message.seq);
    const same = messages[before + 1]?.seq === message.seq;
    messages.splice(before + 1, same ? 1 : 0, message);
  }
}
