/**
 * What the other side has said and the visitor has not seen. `seen` in the browser's storage is the
 * newest message that was shown in any tab, so that one tab's reading clears all of them.
 */
export class Unread {
  count = 0;
  #conversation;
  #store;
  #hooks;
  #known = "";

  /**
   * @param {import("./conversation.js").Conversation} conversation
   * @param {import("./storage.js").Store} store
   * @param {{watched: () => boolean, changed: (newest?: import("./transcript.js").Message) => void}} hooks
   * @param {AbortSignal} signal
   */
  constructor(conversation, store, hooks, signal) {
    this.#conversation = conversation;
    this.#store = store;
    this.#hooks = hooks;
    const look = () => this.look();
    /** @param {StorageEvent} event */
    const stored = ({ key }) => key === store.key("seen") && this.look(false);
    addEventListener("storage", stored, { signal });
    document.addEventListener("visibilitychange", look, { signal });
    conversation.addEventListener("change", () => this.#moved() && look(), { signal });
  }

  /** Counts again, or marks all as seen where the visitor has it before their eyes. */
  look(mark = true) {
    const { transcript } = this.#conversation;
    const id = transcript.conversation?.id;
    const finished = transcript.visible().filter(({ state }) => state !== "streaming");
    const newest = finished.at(-1);
    const seen = this.#store.get("seen");
    const last = seen && seen.conversation === id ? seen.seq : 1; // 1 is the greeting
    const shown = this.#hooks.watched();
    const next = Math.max(last, shown && newest ? newest.seq : 1);
    // Never because another tab wrote: two that are not in step would answer each other for ever.
    if (mark && newest && (seen?.conversation !== id || next !== last)) {
      this.#store.set("seen", { conversation: id, seq: next });
    }
    const theirs = finished.filter(({ seq, role }) => seq > last && /agent|staff/.test(role));
    this.#count(shown ? [] : theirs);
  }

  /** @param {import("./transcript.js").Message[]} fresh */
  #count(fresh) {
    const newest = fresh.at(-1);
    const face = `${fresh.length} ${newest?.id}`;
    if (face === this.#known) return;
    this.#known = face;
    this.count = fresh.length;
    this.#hooks.changed(newest);
  }

  #rev = "";
  /** A growing reply changes nothing here, and is told of a hundred times. */
  #moved() {
    const { conversation, rev } = this.#conversation.transcript;
    const was = this.#rev;
    this.#rev = `${conversation?.id} ${rev}`;
    return was !== this.#rev;
  }
}

/** The visitor has closed the chat, or a greeting: that is enough for today. @param {import("./storage.js").Store} store */
export function rest(store) {
  store.set("greeted", { ...store.get("greeted"), shut: Date.now() });
}
