import { h, icon } from "./dom.js";
import { plural } from "./strings.js";

/** So much room is left when the counter is shown, and then each time it is said aloud. */
const MARKS = [200, 50, 10, 0];

/** Listeners for where a file dropped by mistake must not take the visitor off the page. */
export const NO_FILES = { ondragover: refuseFiles, ondrop: refuseFiles };

/** @param {DragEvent} event */
function refuseFiles(event) {
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); // words may come in
}

/** Where the visitor writes. */
export class Composer {
  /** @type {HTMLTextAreaElement} */
  #field;
  #send;
  #stop;
  #count;
  #told;
  #hooks;
  #store;
  #words;
  #lang;
  #limit = 2000;
  #streaming = false;
  #mark = 0;
  /** The words are of this page, not the draft of another. */
  #own = false;

  /**
   * @param {Pick<import("./strings.js").Language, "words" | "lang">} language
   * @param {import("./storage.js").Store} store keeps the draft
   * @param {{say: (text: string) => void, stop: () => void, typing: () => void}} hooks
   * @param {AbortSignal} [signal]
   */
  constructor({ words, lang }, store, hooks, signal) {
    this.#words = words;
    this.#lang = lang;
    this.#hooks = hooks;
    this.#store = store;
    this.#field = h("textarea", {
      rows: 1,
      placeholder: words.placeholder,
      "aria-label": words.message,
      "aria-describedby": "count",
      enterkeyhint: "send",
      dir: "auto",
      oninput: () => this.#input(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    const label = (/** @type {string} */ text) => ({ "aria-label": text, title: text });
    this.#send = h("button", { class: "send", ...label(words.send) }, icon("send"));
    const stop = { class: "stop", type: "button", hidden: true, onclick: hooks.stop };
    this.#stop = h("button", { ...stop, ...label(words.stop) }, icon("stop"));
    this.#count = h("span", { class: "count", id: "count" });
    this.#told = h("span", { class: "hidden", role: "status" });
    const parts = [this.#field, this.#stop, this.#send, this.#count, this.#told];
    this.element = h("form", { class: "composer", ...this.#listeners() }, ...parts);
    this.#recall();
    store.follow("draft", () => this.#own || this.#recall(), signal);
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** @param {{streaming: boolean, limit: number, disabled: boolean, placeholder?: string}} state */
  update({ streaming, limit, disabled, placeholder }) {
    this.#limit = limit;
    this.#streaming = streaming;
    this.#field.disabled = disabled;
    this.#field.placeholder = placeholder || this.#words.placeholder;
    this.#changed();
  }

  /** Puts words there for the visitor to send, below those they have begun. @param {string} text */
  fill(text) {
    const begun = this.#text();
    if (!begun.includes(text)) this.#field.value = begun ? `${begun}\n${text}` : text;
    this.#kept();
    this.#field.setSelectionRange(-1, -1);
  }

  #listeners() {
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#submit();
    };
    // A press beside the field, on a button that just went grey too, takes no focus from it.
    const onmousedown = (/** @type {Event} */ event) =>
      event.target !== this.#field && event.preventDefault();
    return { onsubmit, onmousedown };
  }

  /** The words as the server will count them. */
  #text() {
    return this.#field.value.trim().normalize();
  }

  #input() {
    this.#kept();
    this.#hooks.typing();
  }

  #kept() {
    const { value } = this.#field;
    this.#own = Boolean(value);
    this.#store.set("draft", value || null);
    this.#changed();
  }

  /** The draft of the last page, or of the tab that wrote last. */
  #recall() {
    this.#field.value = this.#store.get("draft") ?? "";
    this.#changed();
  }

  /**
   * Enter sends, unless it chooses a word of an input method (Safari says so by key 229).
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey) return;
    if (event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.#text();
    if (!text || this.#field.disabled) return;
    if (text.length > this.#limit) return this.#tell();
    if (this.#store.get("draft") === this.#field.value) this.#store.set("draft", null);
    this.#field.value = "";
    this.#own = false;
    this.#changed();
    this.focus();
    this.#hooks.say(text); // which may have the keyboard elsewhere
  }

  #changed() {
    this.#measure();
    this.#resize();
  }

  /** Counts near the limit, and offers the button that makes sense. */
  #measure() {
    const text = this.#text();
    const left = this.#limit - text.length;
    const forms = left < 0 ? this.#words.over : this.#words.left;
    const words = left < MARKS[0] ? plural(forms, Math.abs(left), this.#lang) : "";
    if (this.#count.textContent !== words) this.#count.textContent = words;
    this.#field.setAttribute("aria-invalid", String(left < 0));
    this.#send.disabled = this.#field.disabled || !text || left < 0;
    this.#offer(this.#streaming && !text);
    const mark = MARKS.filter((mark) => left < mark).length;
    if (mark !== this.#mark) this.#tell();
    this.#mark = mark;
  }

  /** Says the counter aloud; a new node, so that the same words are heard again. */
  #tell() {
    this.#told.replaceChildren(h("span", {}, this.#count.textContent));
  }

  /** @param {boolean} stop the button that ends the reply, in place of the one that sends */
  #offer(stop) {
    if (this.#stop.hidden !== stop) return;
    const root = /** @type {ShadowRoot} */ (this.element.getRootNode());
    const focused = root.activeElement;
    this.#stop.hidden = !stop;
    this.#send.hidden = stop;
    if (focused === this.#stop) this.focus(); // never leave the keyboard on a button that went
  }

  /** As high as its text; the style sheet sets where it begins to scroll. */
  #resize() {
    if (CSS.supports("field-sizing", "content")) return;
    const { style, value } = this.#field;
    style.height = "auto";
    if (value) style.height = `${this.#field.scrollHeight}px`;
  }
}
