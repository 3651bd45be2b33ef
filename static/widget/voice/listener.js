import { recognised } from "./recognition.js";

const HELD = 400; // milliseconds: who presses for longer speaks for as long as they press
const PAUSES = [0, 1, 1.5, 2, 3]; // seconds of silence after which words are sent; 0: never

/**
 * @typedef {object} Session what hears, once
 * @property {() => void} stop what was heard so far still comes
 * @property {() => void} abort nothing more comes
 */

/**
 * @typedef {object} Ears what a session tells
 * @property {(text: string) => void} heard all that it has heard so far
 * @property {(error?: string) => void} end once; an error as browsers name those of recognition
 * @property {(where: "browser" | "device" | "server") => void} where the sound goes
 * @property {(since: number) => void} quiet for so many seconds, after somebody has spoken
 */

/** Hears the visitor, and writes what they say where they would have typed it. */
export class Listener {
  /** The visitor wants to be heard. */
  on = false;
  #chat;
  #words;
  #button;
  #voice;
  #field;
  #pause;
  #where;
  element;
  /** @type {Session | undefined} */
  #session;
  /** Words in the field were said aloud. */
  #spoken = false;
  /** What is heard is sent when its session ends. */
  #send = false;
  /** Where the browser cannot hear by itself, comes with need. @type {typeof import("./recorder.js").recorded | undefined} */
  #recorded;
  /** When the press that goes on began to listen. */
  #pressed = 0;

  /**
   * @param {import("../own.js").Chat} chat
   * @param {import("./words.js").Words} words
   * @param {HTMLElement} button
   * @param {InstanceType<typeof import("./voice.js").parts.Voice>} voice
   */
  constructor(chat, words, button, voice) {
    const { h, element, store, language } = chat;
    this.#chat = chat;
    this.#words = words;
    this.#button = button;
    this.#voice = voice;
    this.#field = /** @type {HTMLTextAreaElement} */ (element.querySelector("textarea"));
    this.#field.addEventListener("input", () => (this.#spoken &&= this.#field.value !== ""));
    const options = PAUSES.map((value) => {
      const text = value ? words.auto.replace("{n}", value.toLocaleString(language.lang)) : words.self;
      return h("option", { value, selected: value === store.get("pause") }, text);
    });
    this.#pause = h("select", { "aria-label": words.talk }, ...options);
    this.#pause.onchange = () => store.set("pause", this.#wait);
    this.#where = h("small");
    const head = h("div", {}, h("b", {}, words.hearing), this.#pause);
    this.element = h("div", { class: "heard" }, head, this.#where);
    button.onpointerdown = () => {
      if (this.on) return;
      this.#pressed = performance.now();
      this.#start();
    };
    button.oncontextmenu = (event) => event.preventDefault(); // a long press is a long press
    this.#show();
  }

  /** The button was let go of, or a key was pressed on it. */
  press() {
    const begun = this.#pressed;
    this.#pressed = 0;
    if (!this.on) this.#start();
    else if (!begun) this.#finish(false);
    else if (performance.now() - begun > HELD) this.#finish(true);
  }

  /** The visitor sends something. @returns {true | undefined} whether it was said aloud */
  said() {
    const spoken = this.#spoken || undefined;
    this.#spoken = false;
    this.#drop();
    if (!this.#wait) this.end();
    return spoken;
  }

  /** Listens on while nobody speaks, and nobody is being answered. */
  look() {
    const { transcript, pending } = this.#chat.conversation;
    const over = () => this.#wait && this.on && this.#voice.reading;
    if (this.#voice.reading) this.#drop();
    else if (this.on && !this.#session && !transcript.open() && !pending.length) this.#hear();
    if (over()) import("./guard.js").then(({ guard }) => guard(this.#voice, over, () => this.#start())).catch(() => {});
  }

  end() {
    this.on = false;
    this.#drop();
    this.#show();
  }

  /** Seconds. */
  get #wait() {
    return Number(this.#pause.value);
  }

  #start() {
    this.on = true;
    this.#voice.rest(); // by which it may listen already
    if (!this.#session) this.#hear();
    this.#show();
  }

  /** @param {boolean} send */
  #finish(send) {
    this.#send = send;
    this.on = send && this.#wait > 0;
    this.#session?.stop();
    this.#show();
  }

  #drop() {
    const session = this.#session;
    this.#session = undefined;
    session?.abort();
  }

  #show() {
    this.element.hidden = !this.on;
    this.#button.ariaPressed = `${this.on}`;
  }

  #hear() {
    const before = this.#field.value.trim();
    let heard = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let silence;
    const mine = (/** @type {() => void} */ act) => this.#session === session && act();
    const quiet = (/** @type {number} */ since) => {
      if (this.#wait && since >= this.#wait) mine(() => this.#finish(true));
    };
    /** @type {Ears} */
    const ears = {
      heard: (text) =>
        mine(() => {
          heard ||= text.trim() !== "";
          if (!heard) return;
          this.#voice.hush();
          this.#write(before, text);
          clearTimeout(silence);
          silence = setTimeout(() => quiet(this.#wait), this.#wait * 1000);
        }),
      end: (error) =>
        mine(() => {
          clearTimeout(silence);
          this.#session = undefined;
          this.#ended(heard, error);
        }),
      where: (where) => (this.#where.textContent = this.#words[where]),
      quiet,
    };
    /** @type {Session | undefined} */
    const session = this.#recorded ? this.#recorded(this.#chat, ears) : recognised(this.#voice.tag, ears);
    this.#session = session;
    if (!session) this.#ended(false, "unable");
  }

  /** @param {string} before @param {string} text */
  #write(before, text) {
    this.#spoken = true;
    this.#field.value = `${before} ${text}`.trim();
    this.#field.dispatchEvent(new Event("input"));
  }

  /** @param {boolean} heard @param {string} [error] */
  async #ended(heard, error) {
    const words = this.#words;
    const send = this.#send;
    this.#send = false;
    if (send && heard) return this.#field.form?.requestSubmit();
    if (!error || error === "aborted" || (error === "no-speech" && this.#wait)) {
      if (!heard) this.#voice.unrest();
      setTimeout(() => this.look(), 300); // a browser ends it now and then
      return;
    }
    const { input } = this.#chat.conversation.voice;
    if (!this.#recorded && input === "server" && /net|serv|lang|unable/.test(error)) {
      this.#recorded = (await import("./recorder.js").catch(() => undefined))?.recorded;
      if (this.#recorded) return this.look();
    }
    /** @type {Record<string, string>} */
    const why = { "not-allowed": words.denied, "audio-capture": words.absent, network: words.network, "no-speech": words.nothing };
    this.end();
    this.#voice.unrest();
    this.#voice.tell(why[error] ?? words.unable);
  }
}
