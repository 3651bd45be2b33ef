import { h } from "./dom.js";

/** What the visitor may say by a press: the site's suggestions at first, later quick replies. */
export class Suggestions {
  element;
  #say;

  /** @param {string} label @param {(text: string) => void} say */
  constructor(label, say) {
    this.#say = say;
    this.element = h("div", { class: "suggestions", role: "group", "aria-label": label });
  }

  /** @param {string[]} texts @returns {boolean} whether the keyboard was on one that is gone now */
  show(texts) {
    const { element } = this;
    const shown = [...element.children].map((chip) => chip.textContent);
    if (shown.join("\n") === texts.join("\n")) return false;
    const lost = element.matches(":focus-within");
    /** @param {string} text */
    const chip = (text) =>
      h("button", { type: "button", dir: "auto", onclick: () => this.#say(text) }, text);
    element.replaceChildren(...texts.map(chip));
    return lost;
  }
}
