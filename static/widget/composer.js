import { h, icon } from "./dom.js";

/** Where the visitor writes. */
export class Composer {
  #field;
  #send;
  #stop;
  #count;
  #hooks;
  #store;

  /**
   * @param {import("./strings.js").Words} words
   * @param {import("./storage.js").Store} store keeps the draft
   * @param {{say: (text: string) => void, stop: () => void, typing: () => void}} hooks
   */
  constructor(words, store, hooks) {
    this.#hooks = hooks;
    this.#store = store;
    this.#field = h("textarea", {
      rows: 1,
      placeholder: words.placeholder,
      "aria-label": words.message,
      enterkeyhint: "send",
      dir: "auto",
      maxlength: 2000,
      oninput: () => this.#input(),
      onkeydown: (event) => this.#key(event),
    });
    this.#field.value = store.get("draft") ?? "";
    const label = (text) => ({ "aria-label": text, title: text });
    this.#send = h("button", { class: "send", ...label(words.send) }, icon("send"));
    const stop = { class: "stop", type: "button", hidden: true, onclick: hooks.stop };
    this.#stop = h("button", { ...stop, ...label(words.stop) }, icon("stop"));
    const onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    // A press beside the field, on a button that just went grey too, takes no focus from it.
    const onmousedown = (event) => event.target !== this.#field && event.preventDefault();
    const attributes = { class: "composer", onsubmit, onmousedown };
    this.#count = h("span", { class: "hint" });
    this.element = h("form", attributes, this.#field, this.#count, this.#stop, this.#send);
    this.#resize();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** @param {{streaming: boolean, limit: number, disabled: boolean}} state */
  update({ streaming, limit, disabled }) {
    this.#field.maxLength = limit;
    this.#field.disabled = disabled;
    const offer = streaming && !this.#text();
    if (this.#stop.hidden === offer) {
      const focused = this.element.getRootNode().activeElement;
      this.#stop.hidden = !offer;
      this.#send.hidden = offer;
      if (focused === this.#stop) this.focus(); // never leave the keyboard on a button that went
    }
    this.#send.disabled = disabled || !this.#text();
  }

  #text() {
    return this.#field.value.trim();
  }

  #input() {
    const { value } = this.#field;
    this.#store.set("draft", value || null);
    this.#send.disabled = !this.#text();
    if (this.#text()) this.#send.hidden = !(this.#stop.hidden = true);
    this.#resize();
    this.#hooks.typing();
  }

  /** Enter sends, unless it chooses a word of an input method (Safari says so by key 229). */
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.#text();
    if (!text || this.#field.disabled) return;
    this.#field.value = "";
    this.#store.set("draft", null);
    this.#resize();
    this.#hooks.say(text);
    this.focus();
  }

  /** As high as its text; the style sheet sets where it begins to scroll. */
  #resize() {
    const left = this.#field.maxLength - this.#field.value.length;
    this.#count.textContent = left < 200 ? left : "";
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
