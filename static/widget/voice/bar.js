const SHAPES = {
  pause: "M9 6v12M15 6v12",
  go: "M8 5.5v13l10-6.5z",
  end: "M6 6l12 12M18 6L6 18",
  loud: "M4 9.5v5h3.5L12 18V6L7.5 9.5zM15.5 9q2 3 0 6",
};
const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

/**
 * What a visitor does with what is being said: pause it, go to another place, faster, softer, end it.
 * @typedef {object} Acts
 * @property {() => void} toggle
 * @property {(n: number) => void} seek
 * @property {() => void} end
 * @property {() => void} manner it has changed
 */
export class Bar {
  element;
  #words;
  #place;
  #button;
  #picture;

  /**
   * @param {import("../own.js").Chat} chat
   * @param {import("./words.js").Words} words
   * @param {import("./voice.js").Manner} manner
   * @param {Acts} acts
   * @param {import("./voice.js").Tools["button"]} button
   */
  constructor({ h, picture, language }, words, manner, acts, button) {
    this.#words = words;
    this.#picture = picture;
    this.#button = button("tool", SHAPES.pause, words.pause, acts.toggle);
    this.#place = h("input", { type: "range", min: 1, class: "place", "aria-label": words.read });
    this.#place.oninput = () => acts.seek(this.#place.value - 1);
    const options = SPEEDS.map((value) =>
      h("option", { value, selected: value === manner.rate }, `${value.toLocaleString(language.lang)}×`),
    );
    const speed = h("select", { "aria-label": words.speed }, ...options);
    speed.onchange = () => {
      manner.rate = Number(speed.value);
      acts.manner();
    };
    const mute = button("tool", SHAPES.loud, words.mute, () => {
      manner.muted = !manner.muted;
      mute.ariaPressed = `${manner.muted}`;
      acts.manner();
    });
    mute.ariaPressed = `${manner.muted}`;
    const volume = h("input", { type: "range", max: 1, step: 0.05, "aria-label": words.volume });
    volume.value = manner.volume;
    volume.onchange = () => {
      manner.volume = Number(volume.value);
      acts.manner();
    };
    const names = { class: "said", role: "group", "aria-label": words.read };
    const end = button("tool", SHAPES.end, words.end, acts.end);
    this.element = h("div", names, this.#button, this.#place, speed, mute, volume, end);
  }

  /** @param {import("./speaker.js").Speaker} speaker */
  update({ at, parts, paused, message }) {
    this.element.hidden = !message;
    const count = Math.max(parts.length, at + 1);
    this.#place.max = count;
    this.#place.value = at + 1;
    const place = this.#words.place.replace("{n}", `${at + 1}`).replace("{count}", `${count}`);
    this.#place.ariaValueText = place;
    const button = this.#button;
    const name = paused ? this.#words.go : this.#words.pause;
    if (button.title === name) return;
    button.ariaLabel = button.title = name;
    button.replaceChildren(this.#picture(paused ? SHAPES.go : SHAPES.pause));
  }
}
