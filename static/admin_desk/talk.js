// An open transcript: what happens in the conversation is seen as it happens, and a person speaks.
(() => {
  const TYPING_LASTS = 60_000;
  const STILL = 4000; // milliseconds after the last key

  /** What stands on the page under `id`; who may not do a thing has no button for it.
   * @param {string} id */
  const part = (id) =>
    /** @type {any} */ (document.getElementById(id) ?? document.createElement("i"));
  /** @param {string} name @param {string} className @param {string} text */
  const make = (name, className, text = "") => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  };

  class Talk {
    /** @param {any} line @param {HTMLElement} dock */
    constructor(line, dock) {
      this.line = line;
      this.dock = dock;
      this.id = dock.dataset.conversation ?? "";
      this.rev = Number(dock.dataset.rev);
      /** Until nothing has been typed for a while. @type {ReturnType<typeof setTimeout> | undefined} */
      this.still = undefined;
      /** What was sent and not acknowledged, by id. @type {Map<string, string>} */
      this.unsent = new Map();
      /** Pieces of replies that are being written, by message. @type {Map<string, {attempt: number, text: string}>} */
      this.open = new Map();
      /** What is fetched of single messages, by `seq`. @type {Map<number, Promise<void>>} */
      this.details = new Map();
      this.lines = part("desk-lines");
      this.field = part("desk-field");
      this.sign = part("desk-typing");
      this.notice = part("desk-notice");
      line.rev = this.rev;
      line.addEventListener("open", () => this.#watch());
      line.addEventListener("lost", () => this.#online(false));
      line.addEventListener("ended", (/** @type {any} */ event) => this.#ended(event.detail));
      line.addEventListener("frame", (/** @type {any} */ event) => this.#take(event.detail));
      part("desk-take").onclick = () => this.#act("take");
      part("desk-back").onclick = () => part("desk-brief").showModal();
      part("desk-brief").onclose = () => this.#back();
      part("desk-say").onsubmit = (/** @type {Event} */ event) => {
        event.preventDefault();
        this.#say();
      };
      part("desk-suggest").onclick = (/** @type {any} */ { target }) => {
        target.disabled = this.line.send({ type: "suggest", conversation: this.id });
      };
      part("desk-canned").onchange = (/** @type {any} */ { target }) => {
        this.#insert(target.value);
        target.value = "";
      };
      this.field.onkeydown = (/** @type {KeyboardEvent} */ event) => this.#key(event);
      this.field.oninput = () => this.#types();
      if (!location.hash && !dock.hidden) this.#down();
    }

    // --- What comes down ---

    /** @param {any} frame */
    #take(frame) {
      if (frame.type === "status") this.#status(frame);
      else if (frame.type === "message") this.#message(frame.message);
      else if (frame.type === "delta") this.#delta(frame);
      else if (frame.type === "typing") this.#typing(frame);
      else if (frame.type === "suggestion") this.#insert(frame.text);
      else if (frame.type === "error") this.#error(frame);
    }

    #watch() {
      this.#online(true);
      this.line.send({ type: "watch", conversation: this.id, rev: this.rev });
      for (const [id, text] of this.unsent) this.#send(id, text);
    }

    /** @param {any} frame */
    #status({ conversation, speaker, waiting, messages, open, more }) {
      if (conversation.id !== this.id) return;
      for (const message of messages) this.#message(message);
      if (open) {
        this.#message({ ...open.message, rev: Math.max(open.message.rev, this.rev) });
        this.#write(open.message.id, open.message.attempt, open.message.text);
      }
      this.#speaker(conversation.state, speaker);
      part("desk-waiting").hidden = !waiting;
      if (more) this.line.send({ type: "watch", conversation: this.id, rev: this.rev });
    }

    /** @param {any} message */
    #message(message) {
      this.rev = this.line.rev = Math.max(this.rev, message.rev);
      this.unsent.delete(message.id);
      const shown = this.#row(message.seq);
      if (shown) this.#redraw(shown, message);
      else this.lines.append(this.#drawn(message));
      part(`unsent-${message.id}`).remove();
      part("desk-empty").remove();
      if (message.role === "visitor") this.#signal("visitor", false);
      if (message.state === "streaming") {
        this.#write(message.id, message.attempt, message.text);
      } else {
        this.open.delete(message.id);
        if (message.role === "agent") this.#signal("agent", false);
        // As the server shows it: with sources and tools, and what it took.
        this.#detail(message.seq);
      }
      if (!shown) this.#follow();
    }

    /** @param {any} frame */
    #delta({ message, attempt, off, text }) {
      const open = this.open.get(message);
      if (!open || attempt < open.attempt) return;
      const known = attempt === open.attempt ? open.text : "";
      if (off > known.length) {
        this.line.send({ type: "watch", conversation: this.id, rev: this.rev });
        return;
      }
      this.#write(message, attempt, known.slice(0, off) + text);
    }

    /** @param {string} id @param {number} attempt @param {string} text */
    #write(id, attempt, text) {
      this.open.set(id, { attempt, text });
      const bubble = this.lines.querySelector(`[data-id="${id}"] .desk-bubble`);
      if (bubble) bubble.textContent = text || "…";
      this.#follow();
    }

    /** @param {number} seq */
    #row(seq) {
      return document.getElementById(`message-${seq}`);
    }

    /** @param {any} message */
    #drawn({ id, seq, role, state, text, name }) {
      const row = make("li", "desk-line");
      row.id = `message-${seq}`;
      Object.assign(row.dataset, { id, role, state });
      const head = make("header", "");
      head.append(make("b", "", name || this.dock.dataset[role] || ""));
      const bubble = make("div", "desk-bubble", text || "…");
      bubble.dir = "auto";
      row.append(head, bubble);
      return row;
    }

    /** @param {HTMLElement} row @param {any} message */
    #redraw(row, { state, text }) {
      row.dataset.state = state;
      const bubble = row.querySelector(".desk-bubble");
      if (bubble) bubble.textContent = text || "…";
    }

    /** One after the other: each takes the place of the row before. @param {number} seq */
    #detail(seq) {
      const before = this.details.get(seq) ?? Promise.resolve();
      this.details.set(seq, before.then(() => this.#fetch(seq)));
    }

    /** @param {number} seq */
    async #fetch(seq) {
      const url = (this.dock.dataset.lines ?? "").replace("/0/", `/${seq}/`);
      const { htmx } = /** @type {any} */ (window);
      const row = this.#row(seq);
      // Of its own row: one that comes while another of the same element runs is put off, or lost.
      await htmx.ajax("GET", url, { source: row, target: row, swap: "afterend" });
      if (row?.nextElementSibling?.id === row?.id) row?.remove();
    }

    /** @param {any} frame */
    #typing({ role, on }) {
      this.#signal(role, on);
    }

    /** @param {string} role @param {boolean} on */
    #signal(role, on) {
      if (!on && this.sign.dataset.role !== role) return;
      clearTimeout(this.silence);
      this.sign.textContent = on ? (this.dock.dataset[`${role}Types`] ?? "") : "";
      this.sign.dataset.role = on ? role : "";
      if (on) this.silence = setTimeout(() => this.#signal(role, false), TYPING_LASTS);
    }

    /** Where the cursor is, to be edited. @param {string} text */
    #insert(text) {
      const { selectionStart, selectionEnd } = this.field;
      this.field.setRangeText(text, selectionStart, selectionEnd, "end");
      this.field.focus();
      part("desk-suggest").disabled = false;
    }

    /** @param {any} frame */
    #error({ about, message, final }) {
      part("desk-suggest").disabled = false;
      this.#tell(message);
      if (final && about) {
        const text = this.unsent.get(about);
        this.unsent.delete(about);
        part(`unsent-${about}`).remove();
        if (text && !this.field.value) this.field.value = text;
      }
    }

    // --- Who speaks ---

    /** @param {string} state @param {{name: string, you: boolean} | null} speaker */
    #speaker(state, speaker) {
      const { dataset } = this.dock;
      const mine = Boolean(speaker?.you);
      dataset.speaker = mine ? "you" : speaker ? "other" : "agent";
      this.dock.hidden = state === "closed";
      const words = speaker ? (mine ? dataset.you : dataset.other) : dataset.answers;
      part("desk-speaker").textContent = (words ?? "").replace("{name}", speaker?.name ?? "");
      part("desk-take").hidden = Boolean(speaker);
      part("desk-back").hidden = !(mine || (speaker && dataset.release));
      part("desk-say").hidden = part("desk-canned").hidden = !mine;
      part("desk-suggest").hidden = !mine;
      part("desk-state").textContent = dataset[`state${state[0].toUpperCase()}${state.slice(1)}`] ?? state;
      if (mine && this.wanted) this.field.focus();
      this.wanted = false;
    }

    /** @param {string} type */
    #act(type) {
      this.wanted = true;
      this.#tell("");
      if (!this.line.send({ type, conversation: this.id })) this.#tell(this.dock.dataset.lost ?? "");
    }

    #back() {
      const dialog = part("desk-brief");
      if (dialog.returnValue !== "back") return;
      dialog.returnValue = "";
      const brief = part("desk-brief-text");
      this.line.send({ type: "back", conversation: this.id, brief: brief.value.trim() });
      brief.value = "";
    }

    // --- What a person says ---

    #say() {
      const text = this.field.value.trim();
      if (!text) return;
      const id = crypto.randomUUID?.() ?? this.#uuid();
      this.unsent.set(id, text);
      const row = make("li", "desk-line");
      row.id = `unsent-${id}`;
      Object.assign(row.dataset, { role: "staff", state: "unsent" });
      row.append(make("div", "desk-bubble", text));
      this.lines.append(row);
      this.field.value = "";
      this.#types(false);
      this.#send(id, text);
      this.#down();
    }

    /** Pages over plain HTTP have no `crypto.randomUUID`. */
    #uuid() {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      bytes[6] = (bytes[6] & 15) | 64;
      bytes[8] = (bytes[8] & 63) | 128;
      const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    }

    /** @param {string} id @param {string} text */
    #send(id, text) {
      const sent = this.line.send({ type: "say", conversation: this.id, id, text });
      if (!sent) this.#tell(this.dock.dataset.lost ?? "");
    }

    /** @param {KeyboardEvent} event */
    #key(event) {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#say();
    }

    #types(on = Boolean(this.field.value)) {
      if (on !== Boolean(this.still)) this.line.send({ type: "typing", conversation: this.id, on });
      clearTimeout(this.still);
      this.still = on ? setTimeout(() => this.#types(false), STILL) : undefined;
    }

    // --- The page ---

    /** @param {boolean} on */
    #online(on) {
      this.#tell(on ? "" : (this.dock.dataset.lost ?? ""));
    }

    /** @param {number} code */
    #ended(code) {
      this.dock.dataset.speaker = "agent";
      part("desk-say").hidden = true;
      this.#tell((code === 4409 ? this.dock.dataset.erased : this.dock.dataset.ended) ?? "");
    }

    /** @param {string} text */
    #tell(text) {
      this.notice.textContent = text;
    }

    #follow() {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroller();
      if (scrollHeight - scrollTop - clientHeight < 320) this.#down();
    }

    #down() {
      const scroller = this.#scroller();
      scroller.scrollTop = scroller.scrollHeight;
    }

    #scroller() {
      return document.scrollingElement ?? document.documentElement;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const dock = document.getElementById("desk-dock");
    if (dock) new Talk(/** @type {any} */ (window).deskLine, dock);
  });
})();
