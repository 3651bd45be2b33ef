import { Bar } from "./bar.js";
import { BrowserVoice } from "./browser-voice.js";
import { Listener } from "./listener.js";
import { shareKeys } from "./media.js";
import { Mark } from "./mark.js";
import { Reader } from "./reader.js";
import { ServerVoice } from "./server-voice.js";
import { Speaker } from "./speaker.js";

// As in extras.js: the server puts the style sheet here.
const sheet = new CSSStyleSheet();
sheet.replaceSync("EXTRA_STYLE");

/** @typedef {{rate: number, volume: number, muted: boolean}} Manner how it is said; changed in place */

/**
 * @typedef {object} Tools
 * @property {(kind: string, path: string, label: string, onclick: (event: MouseEvent) => void) => any} button
 * @property {HTMLElement} read
 * @property {HTMLElement} talk
 */

const SHOWN = 8000; // milliseconds in which a line is read

/** Reads replies to the visitor, and hears what they say. */
class Voice {
  /** Of the language. */
  tag;
  players;
  #chat;
  #speaker;
  #reader;
  #listener;
  #bar;
  #mark = new Mark();
  #line;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** It rests, since the visitor may be about to speak. */
  #rests = false;
  #life = new AbortController();

  /**
   * @param {import("../own.js").Chat} chat
   * @param {import("./words.js").Words} words
   * @param {import("./buttons.js").Players} players
   * @param {Tools} tools
   */
  constructor(chat, words, players, tools) {
    const { element, conversation, store, h } = chat;
    this.#chat = chat;
    this.tag = tagOf(chat.language.lang);
    this.players = players;
    /** @type {Manner} */
    const manner = { rate: 1, volume: 1, muted: false, ...store.get("manner") };
    const own = new BrowserVoice(this.tag, manner);
    const server = new ServerVoice(chat, players, manner);
    /** @param {Error} error */
    const failed = ({ message }) => {
      const silent = message === "silent";
      this.tell(silent ? words.silent : words.fell);
      return silent ? undefined : own;
    };
    const best = conversation.voice.output === "server" ? server : own;
    const speaker = (this.#speaker = new Speaker(best, () => this.#changed(), failed));
    this.#reader = new Reader(chat, speaker, tools.read, this.#life.signal);
    this.#listener = new Listener(chat, words, tools.talk, this);
    this.#bar = new Bar(chat, words, manner, {
      toggle: () => this.#toggle(),
      seek: (n) => speaker.seek(n),
      end: () => this.hush(),
      manner: () => {
        store.set("manner", manner);
        if (this.reading) speaker.resume();
      },
    }, tools.button);
    this.#line = h("p", { role: "status" });
    const root = /** @type {ShadowRoot} */ (element.getRootNode());
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
    const place = h("div", { class: "voice" }, this.#bar.element, this.#listener.element, this.#line);
    element.querySelector(".composer")?.before(place);
    this.#bar.update(speaker);
    this.#follow();
  }

  /** Reads replies from now on. At a tap: those that end after `rev`, or no more. @param {number} [rev] */
  read(rev) {
    this.#reader.read(rev);
  }

  /** Reads one message; pressed again, it rests. @param {HTMLElement} row */
  hear(row) {
    const id = row.dataset.of ?? "";
    if (this.#speaker.message === id) this.#toggle();
    else this.#reader.hear(id, row);
  }

  /** Listens, or no more. */
  talk() {
    this.#listener.press();
  }

  /** Something is being said now. */
  get reading() {
    return this.#speaker.message !== "" && !this.#speaker.paused;
  }

  hush() {
    this.#reader.hush();
  }

  /** The visitor may be about to speak. */
  rest() {
    if ((this.#rests = this.reading)) this.#speaker.pause();
  }

  /** They have said nothing: it goes on. */
  unrest() {
    if (this.#rests) this.#speaker.resume();
    this.#rests = false;
  }

  /** Of a panel that has gone. */
  end() {
    this.#still();
    this.#life.abort();
  }

  /** A sentence, for a while. @param {string} text */
  tell(text) {
    clearTimeout(this.#timer);
    this.#line.textContent = text;
    this.#timer = setTimeout(() => (this.#line.textContent = ""), SHOWN);
  }

  /** Neither speaks nor listens. */
  #still() {
    this.hush();
    this.#listener.end();
  }

  #follow() {
    const { element, conversation } = this.#chat;
    const { signal } = this.#life;
    conversation.addEventListener("say", () => (conversation.spoken = this.#listener.said()), { signal });
    const changed = () => {
      this.#listener.look();
      const { message } = this.#speaker;
      if (!message) return;
      if (conversation.transcript.get(message)) requestAnimationFrame(() => this.#marked());
      else this.#speaker.stop(); // erased, or of a conversation that ended
    };
    conversation.addEventListener("change", changed, { signal });
    new MutationObserver(() => element.hasAttribute("open") || this.#still()).observe(element, {
      attributes: true,
      attributeFilter: ["open"],
    });
    addEventListener("pagehide", () => this.#still(), { signal });
    // A tab that nobody looks at does not listen.
    document.addEventListener("visibilitychange", () => document.hidden && this.#listener.end(), { signal });
  }

  #toggle() {
    if (this.#speaker.paused) this.#speaker.resume();
    else this.#speaker.pause();
  }

  #changed() {
    this.#bar.update(this.#speaker);
    this.#listener.look();
    this.#marked();
    shareKeys(this.#speaker, this.#chat.element.querySelector("h2")?.textContent ?? "", () => this.hush());
  }

  /** Once its row is there, and anew as that grows. */
  #marked() {
    const { message, parts, at, paused } = this.#speaker;
    const text = this.#chat.conversation.transcript.get(message)?.text ?? "";
    const row = this.#reader.row(message);
    this.#mark.show(row, text, parts[at]);
    for (const button of this.#chat.element.querySelectorAll(".hear")) {
      button.ariaPressed = `${!paused && button.closest(".row") === row}`;
    }
  }
}

/** The page's own kind of the language, or the browser's, such as "de-AT". @param {string} lang */
function tagOf(lang) {
  const tags = [document.documentElement.lang, ...navigator.languages];
  return tags.find((tag) => tag.toLowerCase().split(/[-_]/)[0] === lang) ?? lang;
}

export const parts = { Voice };
