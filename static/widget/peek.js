import { h, icon } from "./dom.js";
import { plain } from "./plain.js";

const LONG = 140;

/** A small card above the launcher with the last words that were said, for who has it closed. */
export class Peek {
  /** Always there, so that a screen reader hears what comes into it. */
  element = h("div", { "aria-live": "polite" });
  #dismiss;

  /** @param {import("./strings.js").Language} language */
  constructor({ words, lang, dir }) {
    this.#dismiss = words.dismiss;
    this.element.lang = lang;
    this.element.dir = dir;
  }

  /**
   * @param {string} who
   * @param {string} text
   * @param {() => void} open
   * @param {() => void} dismissed
   */
  show(who, text, open, dismissed) {
    const whole = plain(text).trim();
    const short = whole.length > LONG ? `${whole.slice(0, LONG - 1).trim()}…` : whole;
    const onclick = () => {
      this.hide();
      dismissed();
    };
    const words = { type: "button", class: "words", dir: "auto", onclick: open };
    const shut = { type: "button", "aria-label": this.#dismiss, onclick };
    const card = [h("button", words, h("b", {}, who), short), h("button", shut, icon("close"))];
    this.element.replaceChildren(h("div", { class: "peek", part: "peek" }, ...card));
  }

  hide() {
    this.element.replaceChildren();
  }
}
