import { h, tool } from "./dom.js";
import { extras } from "./later.js";

/**
 * @typedef {object} Actions
 * @property {() => void} earlier
 * @property {(id: string) => void} resend
 * @property {(message: any) => void} regenerate
 * @property {(id: string, value: 1 | 0 | -1, comment?: string) => void} feedback
 */

/**
 * @typedef {object} Tools what all rows share
 * @property {import("./strings.js").Words} words
 * @property {import("./formats.js").Formats} formats
 * @property {Actions} actions
 * @property {(text: string) => void} tell a screen reader hears it
 */

/** What a visitor does with a reply: thumbs, and in words what was wrong with it. */
export class Feedback {
  /** @type {import("./transcript.js").Message | undefined} */
  #message;
  #good;
  #bad;
  #tools;
  #thanks = h("span", { class: "note" });
  /** Where the question why is asked. */
  why = h("div", { hidden: true });

  /** @param {HTMLElement[]} others beside the thumbs @param {Tools} tools */
  constructor(others, tools) {
    const { words } = tools;
    this.#tools = tools;
    this.#good = tool("good", words.good, () => this.#rate(1));
    this.#bad = tool("good", words.bad, ({ detail: byMouse }) => this.#rate(-1, !byMouse));
    this.#bad.classList.add("bad");
    this.bar = h("div", { class: "actions" }, this.#good, this.#bad, ...others, this.#thanks);
  }

  /** @param {import("./transcript.js").Message} message as stored now, perhaps by another tab */
  update(message) {
    this.#message = message;
    this.#good.setAttribute("aria-pressed", String(message.feedback === 1));
    this.#bad.setAttribute("aria-pressed", String(message.feedback === -1));
    if (message.feedback !== -1) this.why.hidden = true;
  }

  /** Pressed again, a thumb is taken back. @param {1 | -1} thumb @param {boolean} [byKey] */
  #rate(thumb, byKey = false) {
    const { id, feedback } = /** @type {import("./transcript.js").Message} */ (this.#message);
    const value = feedback === thumb ? 0 : thumb;
    this.#thanks.textContent = "";
    this.#tools.actions.feedback(id, value);
    this.why.hidden = value !== -1;
    if (value !== -1) return;
    extras().then(({ askWhy }) => askWhy(this.why, id, this.#tools, this.#bad, this.#thanks, byKey));
  }}
