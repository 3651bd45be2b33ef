import { h, icon } from "./dom.js";
import { link, show } from "./markdown.js";

/**
 * @typedef {object} View what the list shows
 * @property {import("./transcript.js").Message[]} messages
 * @property {import("./outbox.js").Entry[]} pending
 * @property {string} greeting shown while nothing is stored
 * @property {string} agent its name
 * @property {string} typing words for the typing sign, or ""
 * @property {boolean} earlier
 */

/**
 * @typedef {object} Item one line of the list
 * @property {string} key
 * @property {string} role
 * @property {string} state
 * @property {string} text
 * @property {string} [name]
 * @property {string} [note] under the bubble
 * @property {{title: string, url?: string}[]} [sources]
 * @property {() => void} [retry]
 */

const NEAR = 64; // so close to the end the reader is taken to read the end
export const SLOW = 3000; // ms after which a message says that it waits

/** The bubbles. Each keeps its element for as long as it lives. */
export class MessageList {
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #words;
  #actions;
  #more;
  #dots;
  #list;
  #down;
  #atEnd = true;

  /**
   * @param {import("./strings.js").Words} words
   * @param {{earlier: () => void, resend: (id: string) => void, regenerate: (m: any) => void}} actions
   */
  constructor(words, actions) {
    this.#words = words;
    this.#actions = actions;
    const earlier = { class: "earlier", type: "button", onclick: actions.earlier };
    this.#more = h("button", earlier, words.earlier);
    this.#list = h("div", { class: "rows", role: "log", "aria-live": "off" });
    this.#list.setAttribute("aria-label", words.conversation);
    this.#dots = h("div", { class: "typing" }, h("i"), h("i"), h("i"), h("span", { class: "hidden" }));
    const onclick = () => this.toEnd(true);
    const down = { class: "down", type: "button", "aria-label": words.newest, hidden: true, onclick };
    this.#down = h("button", down, icon("down"));
    const onscroll = () => this.#scrolled();
    this.scroller = h("div", { class: "messages", tabindex: 0, onscroll }, this.#more, this.#list);
    this.element = h("div", { class: "stage" }, this.scroller, this.#down);
    // A keyboard, a longer draft or a line of status takes room away from below.
    new ResizeObserver(() => this.#atEnd && this.toEnd()).observe(this.scroller);
  }

  /** @param {View} view */
  update(view) {
    const { scroller } = this;
    const follow = this.#atEnd;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const oldest = this.#list.firstElementChild;
    this.#more.hidden = !view.earlier;
    const rows = this.#items(view).map((item) => this.#row(item));
    this.#place(rows);
    this.#typing(view.typing);
    if (follow) this.toEnd();
    else if (oldest && oldest !== this.#list.firstElementChild) {
      scroller.scrollTop = scroller.scrollHeight - fromEnd; // older ones came in above
    }
    this.#scrolled();
  }

  /** Shows the newest words. */
  toEnd(smooth = false) {
    const behavior = smooth ? "smooth" : "instant";
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior });
    this.#atEnd = true;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#down.hidden = this.#atEnd;
  }

  /** @param {View} view @returns {Item[]} */
  #items({ messages, pending, greeting, agent }) {
    const last = messages[messages.length - 1];
    const stored = messages.map((message) => this.#stored(message, message === last));
    const waiting = pending.map((entry) => this.#waiting(entry));
    const first = { key: "greeting", role: "agent", state: "complete", text: greeting };
    const items = [...(greeting && !messages.length ? [first] : []), ...stored, ...waiting];
    return items.map((item) => (item.role === "agent" ? { ...item, name: agent } : item));
  }

  /** @returns {Item} */
  #stored(message, last) {
    const { seq, role, state, text, name, sources, error } = message;
    // The bubble that stood there before the server knew of it stays the same bubble.
    const key = seq === 1 && role === "agent" ? "greeting" : (message.client_id ?? message.id);
    const failed = state === "failed";
    const note = failed ? error?.message : state === "interrupted" ? this.#words.stopped : "";
    const retry = failed && last ? () => this.#actions.regenerate(message) : undefined;
    return { key, role, state, text, name, sources, note, retry };
  }

  /** @returns {Item} */
  #waiting({ client_id: key, text, state, error, at }) {
    const failed = state === "failed";
    const slow = Date.now() - at >= SLOW;
    const note = failed ? error || this.#words.failed : slow ? this.#words.waiting : "";
    const retry = failed ? () => this.#actions.resend(key) : undefined;
    return { key, role: "visitor", state, text, note, retry };
  }

  /** @param {Item} item @returns {HTMLElement} */
  #row(item) {
    const row = this.#rows.get(item.key) ?? this.#fresh(item);
    this.#rows.set(item.key, row);
    const face = [item.state, item.text, item.note, Boolean(item.retry), item.sources].join("\0");
    if (row.dataset.face === face) return row;
    row.dataset.face = face;
    row.dataset.state = item.state;
    const [bubble, foot] = /** @type {any} */ (row.querySelectorAll(".bubble, .foot"));
    bubble.hidden = !item.text;
    if (item.role === "visitor") bubble.textContent = item.text;
    else show(bubble, item.text, item.state === "streaming");
    foot.replaceChildren(...this.#foot(item));
    return row;
  }

  /** @param {Item} item */
  #fresh({ role, name }) {
    const who = role === "visitor" ? this.#words.you : name;
    const label = who && h("span", { class: role === "staff" ? "who" : "hidden" }, who);
    const parts = [label, h("div", { class: "bubble", dir: "auto" }), h("div", { class: "foot" })];
    return h("div", { class: "row", "data-role": role, part: `message ${role}` }, ...parts);
  }

  /** @param {Item} item @returns {Node[]} */
  #foot({ note, retry, sources, state }) {
    const parts = [];
    if (sources?.length && state !== "streaming") {
      const items = sources.map(({ title, url }) => h("li", {}, link(title, url)));
      parts.push(h("ul", { class: "sources", "aria-label": this.#words.sources }, ...items));
    }
    if (note) parts.push(h("span", { class: "note" }, note));
    if (retry) parts.push(h("button", { type: "button", onclick: retry }, this.#words.retry));
    return parts;
  }

  /** Brings the rows into this order and lets go of all others. */
  #place(rows) {
    const kept = new Set(rows);
    for (const [key, row] of this.#rows) {
      if (kept.has(row)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    rows.forEach((row, index) => {
      const there = this.#list.children[index];
      if (there !== row) this.#list.insertBefore(row, there ?? null);
    });
  }

  #typing(words) {
    this.#dots.lastChild.textContent = words;
    if (words) this.#list.append(this.#dots);
    else this.#dots.remove();
  }
}
