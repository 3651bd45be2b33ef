import { h, icon } from "./dom.js";
import { Formats } from "./formats.js";
import { MessageRow } from "./message-row.js";
import { Reading } from "./reading.js";

/**
 * @typedef {object} View what the list shows
 * @property {import("./transcript.js").Message[]} messages
 * @property {import("./outbox.js").Entry[]} pending
 * @property {string} greeting shown while nothing is stored
 * @property {string} agent its name
 * @property {string} typing words for the typing sign, or ""
 * @property {boolean} earlier
 * @property {number} now by the server's clock
 */

/**
 * @typedef {object} Line one of the rows to be
 * @property {string} key
 * @property {string} role
 * @property {string} state
 * @property {string} text
 * @property {string} who
 * @property {number} [at]
 * @property {number} day
 * @property {string} [note]
 * @property {() => void} [retry]
 * @property {import("./transcript.js").Message} [message]
 */

export const SLOW = 3000; // ms after which a message says that it waits
const STEP = 12; // messages that get their elements in one frame: more would hold up the page
const TOGETHER = 5 * 60_000; // what is said within so long of the last words goes with them

/** The messages: in groups, under their days. Each keeps its element for as long as it lives. */
export class MessageList {
  /** @type {Map<string, MessageRow>} */
  #rows = new Map();
  /** @type {Map<number, HTMLElement>} */
  #days = new Map();
  /** What stands in the list now, in order. @type {Element[]} */
  #nodes = [];
  /** @type {WeakMap<object, Line>} */
  #stored = new WeakMap();
  #today = 0;
  #tail = "";
  #agent = "";
  #tools;
  #more;
  #dots;
  #list;
  #reading;

  /**
   * @param {import("./strings.js").Language} language
   * @param {import("./feedback.js").Actions} actions
   */
  constructor({ words, lang }, actions) {
    const said = h("p", { class: "hidden", role: "status" });
    const tell = (/** @type {string} */ text) => said.replaceChildren(h("span", {}, text));
    this.#tools = { words, formats: new Formats(lang), actions, tell };
    const earlier = { class: "earlier", type: "button", onclick: actions.earlier };
    this.#more = h("button", earlier, words.earlier);
    const log = { class: "rows", role: "log", "aria-live": "off", "aria-label": words.conversation };
    this.#list = h("div", log);
    const dots = h("div", { class: "bubble" }, h("i"), h("i"), h("i"), h("span"));
    this.#dots = h("div", { class: "typing" }, h("div", { class: "head" }), dots);
    const down = h("button", { class: "down", type: "button" }, icon("down"), h("span"));
    this.scroller = h("div", { class: "messages", tabindex: 0 }, this.#more, this.#list);
    this.element = h("div", { class: "stage" }, this.scroller, down, said);
    this.#reading = new Reading(this.scroller, this.#list, down, words);
  }

  /** @param {View} view @returns {boolean} whether older ones are left for the next frame */
  update(view) {
    const left = view.messages.length - this.#rows.size - STEP;
    if (left > 0) view = { ...view, messages: view.messages.slice(left) };
    if (this.#agent !== view.agent) this.#stored = new WeakMap();
    this.#agent = view.agent;
    const focused = /** @type {HTMLElement | null} */ (this.#list.querySelector(":focus"));
    const entries = this.#entries(view);
    const nodes = this.#drawn(entries, this.#tools.formats.dayOf(view.now));
    const [, oldest] = this.#nodes; // below the first day's line
    const place = () => {
      this.#more.hidden = !view.earlier;
      this.#place(nodes);
    };
    if (oldest && nodes.indexOf(oldest) > 1) this.#reading.above(oldest, place);
    else place();
    this.#typing(view, entries.at(-1));
    const { key, text } = entries.at(-1) ?? { key: "", text: "" };
    const tail = key + text.length;
    if (tail !== this.#tail) this.#reading.grew(this.#rows.get(key)?.element);
    this.#tail = tail;
    // A button that was pressed may have gone by that, or lost its box, which a browser notices only
    // when it draws; the keyboard stays among the messages.
    if (focused && !focused.offsetParent) this.scroller.focus({ preventScroll: true });
    return left > 0;
  }

  /** Shows the newest words. */
  toEnd() {
    this.#reading.toEnd();
  }

  /** @param {View} view @returns {Line[]} */
  #entries({ messages, pending, greeting, agent, now }) {
    const day = this.#tools.formats.dayOf(now);
    const said = { key: "greeting", role: "agent", state: "complete", text: greeting, who: agent, day };
    const first = greeting && !messages.length ? [said] : [];
    const stored = messages.map((message, index) => {
      const entry = this.#entry(message);
      const failed = message.state === "failed" && index === messages.length - 1;
      const retry = failed ? () => this.#tools.actions.regenerate(message) : undefined;
      return retry ? { ...entry, retry } : entry;
    });
    return [...first, ...stored, ...pending.map((entry) => this.#waiting(entry, day))];
  }

  /**
   * A stored message's, made once for as long as the message is what it is.
   * @param {import("./transcript.js").Message} message
   * @returns {Line}
   */
  #entry(message) {
    const known = this.#stored.get(message);
    if (known) return known;
    const { seq, id, role, state, text, name, client_id: clientId, created } = message;
    const { words, formats } = this.#tools;
    // The bubble that stood there before the server knew of it stays the same bubble.
    const key = seq === 1 && role === "agent" ? "greeting" : (clientId ?? id);
    const who = role === "visitor" ? words.you : role === "agent" ? this.#agent : (name ?? "");
    // Not the server's own words: it speaks fewer languages.
    const note = state === "failed" ? words.broken : state === "interrupted" ? words.stopped : "";
    const at = Date.parse(created);
    const entry = { key, role, state, text, who, at, day: formats.dayOf(at), note, message };
    this.#stored.set(message, entry);
    return entry;
  }

  /**
   * One that is on its way: it will be stored today.
   * @param {import("./outbox.js").Entry} entry
   * @param {number} day
   * @returns {Line}
   */
  #waiting({ client_id: key, text, state, error, at }, day) {
    const { words, actions } = this.#tools;
    const failed = state === "failed";
    const slow = Math.abs(Date.now() - at) >= SLOW; // a clock can be set back
    const note = failed ? error || words.failed : slow ? words.waiting : "";
    const retry = failed ? () => actions.resend(key) : undefined;
    return { key, role: "visitor", state, text, who: words.you, day, note, retry };
  }

  /**
   * The elements for these, changed where there is something to change.
   * @param {Line[]} entries
   * @param {number} today
   */
  #drawn(entries, today) {
    /** @type {Element[]} */
    const nodes = [];
    entries.forEach((entry, index) => {
      const before = entries[index - 1];
      const after = entries[index + 1];
      if (before?.day !== entry.day) nodes.push(this.#day(entry.day, today));
      const first = !before || !together(before, entry);
      const last = !after || !together(entry, after);
      const row = this.#rows.get(entry.key) ?? new MessageRow(entry.role, this.#tools);
      this.#rows.set(entry.key, row);
      row.draw(entry, first, last, !after);
      nodes.push(row.element);
    });
    return nodes;
  }

  /** @param {number} day @param {number} today */
  #day(day, today) {
    if (this.#today !== today) this.#days.clear(); // what was today is yesterday now
    this.#today = today;
    const known = this.#days.get(day);
    if (known) return known;
    const line = h("p", { class: "day" }, this.#tools.formats.day(day, today));
    this.#days.set(day, line);
    return line;
  }

  /** Brings the elements into this order and lets go of all others. @param {Element[]} nodes */
  #place(nodes) {
    const before = this.#nodes;
    this.#nodes = nodes;
    if (nodes.length === before.length && nodes.every((node, at) => node === before[at])) return;
    const kept = new Set(nodes);
    for (const node of before) if (!kept.has(node)) node.remove();
    for (const [key, row] of this.#rows) if (!kept.has(row.element)) this.#rows.delete(key);
    for (const [day, line] of this.#days) if (!kept.has(line)) this.#days.delete(day);
    nodes.forEach((node, at) => {
      const there = at ? nodes[at - 1].nextSibling : this.#list.firstChild;
      if (there !== node) this.#list.insertBefore(node, there);
    });
  }

  /**
   * The sign has the room and the name of the reply that will stand in its place.
   * @param {View} view
   * @param {Line} [last]
   */
  #typing({ typing, agent }, last) {
    const [head, bubble] = this.#dots.children;
    const words = bubble.lastChild;
    if (!typing) return this.#dots.remove();
    const goesOn = last && /agent|staff/.test(last.role);
    head.hidden = goesOn;
    head.textContent = agent;
    if (words.textContent !== typing) words.textContent = typing;
    if (this.#list.lastChild !== this.#dots) this.#list.append(this.#dots);
  }
}

/** Whether two that follow on each other are said in one breath. @param {Line} a @param {Line} b */
function together(a, b) {
  const near = a.at === undefined || b.at === undefined || Math.abs(b.at - a.at) < TOGETHER;
  return a.role === b.role && a.who === b.who && a.day === b.day && near;
}
