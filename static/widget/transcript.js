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
 * @property {{code: string, message: string}} [error]
 */

const TYPING_LASTS = 60_000;

/** The conversation as this client knows it: frames go in, messages come out. Touches no page. */
export class Transcript {
  /** @type {Map<string, Message>} */
  #messages = new Map();
  #stuck = false;
  /** @type {{id: string, epoch: number, rev: number, state: string} | null} */
  conversation = null;
  rev = 0;
  /** What the server says of itself: ready, limited, human or closing. */
  state = "ready";
  /** Whether the server holds messages older than these. */
  earlier = false;
  /** @type {{role: string, stage?: string, until: number} | null} */
  typing = null;

  /** Begins anew with what `init` answered. */
  load({ conversation, messages, earlier }) {
    this.#forget();
    this.conversation = conversation;
    this.rev = conversation.rev;
    this.earlier = earlier;
    for (const message of messages) this.#put(message);
  }

  /** Adds a page of older messages. */
  prepend({ messages, earlier }) {
    for (const message of messages) this.#put(message);
    this.earlier = earlier;
  }

  /**
   * Takes one frame of the server.
   * @returns {boolean} true: something is missing, ask with `status`
   */
  apply(frame, now = Date.now()) {
    switch (frame.type) {
      case "status":
        return this.#status(frame);
      case "message":
        return this.#message(frame);
      case "delta":
        return this.#delta(frame);
      case "typing":
        this.#typing(frame, now);
    }
    return false; // what a newer server says beyond that is ignored
  }

  /** @returns {Message[]} all messages, oldest first */
  all() {
    return [...this.#messages.values()].sort((a, b) => a.seq - b.seq);
  }

  /** @returns {Message[]} those with something to show */
  visible() {
    return this.all().filter((message) => message.text || message.state === "failed");
  }

  /** @returns {Message | undefined} the reply that is being written */
  open() {
    return this.all().find((message) => message.state === "streaming");
  }

  /** @returns {Message | undefined} */
  get(id) {
    return this.#messages.get(id);
  }

  /** @returns {boolean} whether a visitor's message with this id is stored */
  holds(clientId) {
    return this.all().some((message) => message.client_id === clientId);
  }

  /** Where this client stands, as `connect` and `status` say it. */
  position() {
    const { id, epoch } = this.conversation ?? {};
    return { rev: this.rev, conversation: id, epoch };
  }

  #forget() {
    this.#messages.clear();
    this.rev = 0;
    this.earlier = false;
    this.typing = null;
  }

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

  #message({ message, conversation }) {
    if (conversation && conversation !== this.conversation?.id) return false; // of an ended one
    this.#put(message);
    if (message.rev > this.rev + 1) return true;
    this.rev = Math.max(this.rev, message.rev);
    return false;
  }

  #delta({ message: id, attempt, off, text }) {
    const known = this.#messages.get(id);
    if (!known) return true;
    const current = known.attempt ?? 1;
    if (attempt < current || (attempt === current && known.state !== "streaming")) return false;
    const shown = attempt > current ? "" : known.text;
    if (off > shown.length) return true;
    const longer = shown + text.slice(shown.length - off);
    this.#messages.set(id, { ...known, attempt, state: "streaming", text: longer });
    return false;
  }

  #typing({ role, on, stage }, now) {
    if (role === "visitor") return;
    this.typing = on ? { role, stage, until: now + TYPING_LASTS } : null;
  }

  /** Stores a message unless what is known of it is newer; a growing text never shrinks. */
  #put(next) {
    const known = this.#messages.get(next.id);
    if (known) {
      const step = (next.attempt ?? 1) - (known.attempt ?? 1);
      if (next.rev < known.rev || step < 0) return;
      if (step === 0 && next.state === "streaming") {
        if (known.state !== "streaming") return;
        if (known.text.length > next.text.length) next = { ...next, text: known.text };
      }
    }
    this.#messages.set(next.id, next);
  }
}
