import { ask } from "./ask.js";

/** Reads replies as they come, or one that is asked for; in one tab only. */
export class Reader {
  #chat;
  #speaker;
  #button;
  /** Replies are read as they come. */
  #on = false;
  /** It is this tab that speaks. */
  #mine = false;
  /** The message that was ended. */
  #over = "";
  /** @type {BroadcastChannel | undefined} */
  #tabs;

  /**
   * @param {import("../own.js").Chat} chat
   * @param {import("./speaker.js").Speaker} speaker
   * @param {HTMLElement} button shows whether replies are read
   * @param {AbortSignal} signal
   */
  constructor(chat, speaker, button, signal) {
    const { element, conversation, store } = chat;
    this.#chat = chat;
    this.#speaker = speaker;
    this.#button = button;
    /** @param {string} name @param {(detail: any) => void} act */
    const on = (name, act) =>
      conversation.addEventListener(name, (event) => act(/** @type {any} */ (event).detail), { signal });
    on("frame", (frame) => this.#frame(frame));
    on("finished", (message) => this.#finished(message));
    on("up", () => this.#on && this.#mine && this.#ask(true));
    on("say", () => {
      this.hush();
      this.#over = "";
      if (this.#on) this.#claim();
    });
    element.querySelector(".stop")?.addEventListener("click", () => this.hush(), { signal });
    try {
      const tabs = (this.#tabs = new BroadcastChannel(store.key("voice")));
      tabs.onmessage = () => {
        this.#mine = false;
        this.hush();
      };
      signal.addEventListener("abort", () => tabs.close());
    } catch {
      // Where a tab is kept to itself, it has a visitor of its own too.
    }
  }

  /** Reads replies from now on. At a tap: those that end after `rev`, or no more. @param {number} [rev] */
  read(rev) {
    const on = (this.#on = rev == null || !this.#on);
    this.#chat.store.set("aloud", on || null);
    this.#button.ariaPressed = `${on}`;
    if (!on) {
      this.hush();
      return this.#ask(false);
    }
    this.#claim();
    const last = this.#chat.conversation.transcript.all().at(-1);
    // It may have ended before this was loaded.
    if (last?.reply_to && last.state === "complete" && last.rev > Number(rev)) this.#finished(last);
  }

  /** Reads one message, from its start. @param {string} id @param {HTMLElement} row */
  async hear(id, row) {
    this.hush();
    this.#claim();
    const parts = await this.#parts(id, row);
    if (parts.length) this.#speaker.begin(id, parts, true);
  }

  /** Nothing more of what is being said. */
  hush() {
    const { transcript } = this.#chat.conversation;
    this.#over = transcript.open()?.id ?? this.#speaker.message;
    if (this.#over && this.#on) this.#ask(false); // nor need the server make what nobody hears
    this.#speaker.stop();
  }

  /** @param {string} id @returns {HTMLElement | null} */
  row(id) {
    return id ? this.#chat.element.querySelector(`[data-of="${id}"]`) : null;
  }

  /** From now on this tab speaks, and no other. */
  #claim() {
    this.#mine = true;
    this.#tabs?.postMessage("");
    if (this.#on) this.#ask(true);
  }

  /** @param {boolean} on */
  #ask(on) {
    this.#chat.conversation.do({ type: "sound", on }, true);
  }

  /** @param {any} frame */
  #frame(frame) {
    const { type, message, n, last } = frame;
    const now = this.#speaker.message;
    if (type === "message" && message.id === now && message.state === "streaming") this.#speaker.stop();
    if (type !== "speech" || !this.#on || !this.#mine || message === this.#over) return;
    if (message === now) this.#speaker.add(n, frame, last);
    else if (!n) this.#speaker.begin(message, [frame], last);
  }

  /** What was missed of it, as when a line was lost, is asked for. @param {import("../transcript.js").Message} message */
  async #finished({ id, role, text }) {
    const wanted = () => this.#on && this.#mine && id !== this.#over && role !== "system" && text;
    if (!wanted() || this.#speaker.whole(id)) return;
    const parts = await this.#parts(id, this.row(id));
    if (!wanted() || !parts.length) return;
    if (this.#speaker.message !== id) return this.#speaker.begin(id, parts, true);
    parts.forEach((part, n) => this.#speaker.add(n, part, n === parts.length - 1));
  }

  /**
   * The segments of a message; where the server cannot be asked, its sentences as they are shown.
   * @param {string} id @param {HTMLElement | null} row @returns {Promise<import("./speaker.js").Part[]>}
   */
  async #parts(id, row) {
    try {
      const response = await ask(this.#chat, id, { signal: AbortSignal.timeout(5000) });
      return [...(await response.json()).segments];
    } catch {
      const shown = /** @type {HTMLElement | null} */ (row?.querySelector(".text") ?? null);
      const said = shown?.innerText.match(/[^.!?。！？\n]*[^\s.!?。！？][.!?。！？]*/g) ?? [];
      return said.map((text) => ({ text }));
    }
  }
}
