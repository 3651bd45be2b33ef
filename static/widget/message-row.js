import { Feedback } from "./feedback.js";
import { h, icon, tool } from "./dom.js";
import { extras } from "./later.js";
import { link, show } from "./markdown.js";

/**
 * @typedef {object} Item what a row shows
 * @property {string} role
 * @property {string} state
 * @property {string} text
 * @property {string} who
 * @property {number} [at] when, by the server's clock; nothing while it waits to be sent
 * @property {string} [note] under the bubble
 * @property {() => void} [retry]
 * @property {import("./transcript.js").Message} [message] as stored
 */

/** Copies a text, also where the page or the browser refuses the newer way. @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return (await extras()).copiedOldWay(text);
  }
}

/** One message. Its parts are changed where they stand: focus, selection and what was unfolded stay. */
export class MessageRow {
  /** @type {Partial<Item>} */
  #item = {};
  #tools;
  #who = h("span", { class: "who" });
  #time = h("time", { class: "time" });
  #head = h("div", { class: "head" }, this.#who, " ", this.#time);
  // The bubble's tail is on the speaker's side, whichever way the words in it run.
  #text = h("div", { class: "text", dir: "auto" });
  #bubble = h("div", { class: "bubble" }, this.#text);
  #foot = h("div", { class: "foot" });
  #sources = "";
  /** @type {boolean | undefined} */
  #first;
  #last = false;
  #newest = false;
  /** @type {Feedback | undefined} */
  #feedback;
  /** @type {HTMLElement} */
  #again = h("button");

  /** @param {string} role @param {import("./feedback.js").Tools} tools */
  constructor(role, tools) {
    this.#tools = tools;
    const look = { class: "row", "data-role": role, part: `message ${role}` };
    this.element = h("div", look, this.#head, this.#bubble, this.#foot);
  }

  /**
   * @param {Item} item
   * @param {boolean} first of those that one speaker says in a row
   * @param {boolean} last
   * @param {boolean} newest of all
   */
  draw(item, first, last, newest) {
    const before = this.#item;
    const moved = this.#mark(first, last, newest);
    if (item === before && !moved) return; // most of them, at each piece of a growing reply
    this.#item = item;
    const changed = (/** @type {(keyof Item)[]} */ ...names) =>
      names.some((name) => item[name] !== before[name]);
    this.element.dataset.state = item.state;
    this.element.dataset.of = item.message?.id ?? "";
    if (changed("who", "at")) this.#say(item);
    if (changed("text", "state")) this.#write(item);
    if (moved || changed("message", "state", "note")) this.#finish(item);
  }

  /**
   * Its place in the group.
   * @param {boolean} first @param {boolean} last @param {boolean} newest
   * @returns {boolean} whether that is a new one
   */
  #mark(first, last, newest) {
    if (first === this.#first && last === this.#last && newest === this.#newest) return false;
    [this.#first, this.#last, this.#newest] = [first, last, newest];
    for (const [name, on] of Object.entries({ first, last, newest })) {
      this.element.toggleAttribute(`data-${name}`, on);
    }
    return true;
  }

  /** @param {Item} item */
  #say({ who, at }) {
    this.#who.textContent = who;
    if (!at) return;
    this.#time.dateTime = new Date(at).toISOString();
    this.#time.textContent = this.#tools.formats.time(at);
  }

  /** @param {Item} item */
  #write({ role, state, text }) {
    this.#bubble.hidden = !text;
    if (role === "visitor") this.#text.textContent = text;
    else show(this.#text, text, state === "streaming");
  }

  /** What stands under the bubble, most of it once there is nothing more to come. @param {Item} item */
  #finish({ message, role, state, note, retry }) {
    for (const part of this.element.querySelectorAll(".said, .retry")) part.remove();
    if (note) this.#foot.append(h("span", { class: "note said", dir: "auto" }, note));
    if (retry) {
      const attributes = { class: "retry", type: "button", onclick: () => this.#item.retry?.() };
      this.#foot.append(h("button", attributes, this.#tools.words.retry));
    }
    const done = state === "complete" || state === "interrupted";
    if (message && /agent|staff/.test(role)) this.#offer(message, done);
  }

  /** @param {import("./transcript.js").Message} message @param {boolean} done */
  #offer(message, done) {
    this.#cite((done && message.sources) || []);
    if (done) (this.#feedback ??= this.#act()).update(message);
    const bar = this.#feedback?.bar;
    if (!bar) return;
    bar.hidden = !done;
    this.#again.hidden = !this.#newest || message.role !== "agent" || message.seq < 2;
  }

  #act() {
    const { words, tell, actions } = this.#tools;
    const copy = tool("copy", words.copy, async () => {
      if (!(await copied(this.#text.innerText))) return;
      tell(words.copied);
      copy.replaceChildren(icon("done"));
      setTimeout(() => copy.replaceChildren(icon("copy")), 2000);
    });
    this.#again = tool("again", words.again, () => actions.regenerate(this.#item.message));
    const feedback = new Feedback([copy, this.#again], this.#tools);
    this.#foot.append(feedback.bar);
    this.element.append(feedback.why);
    return feedback;
  }

  /** @param {{title: string, url?: string}[]} sources */
  #cite(sources) {
    const face = JSON.stringify(sources);
    if (this.#sources === face) return;
    this.#sources = face;
    for (const part of this.element.querySelectorAll(".cited, .sources")) part.remove();
    if (!sources.length) return;
    const { words, formats } = this.#tools;
    const items = sources.map(({ title, url }) => h("li", {}, link(title, url)));
    const list = h("ul", { class: "sources", "aria-label": words.sources, hidden: true }, ...items);
    const onclick = () => {
      list.hidden = !list.hidden;
      button.setAttribute("aria-expanded", String(!list.hidden));
    };
    const attributes = { class: "cited", type: "button", "aria-expanded": "false", onclick };
    const count = formats.count(words.sourceCount, sources.length);
    const button = h("button", attributes, count, icon("down"));
    this.#foot.prepend(button);
    this.#foot.after(list);
  }
}
