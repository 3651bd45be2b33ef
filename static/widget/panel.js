import { Composer, NO_FILES } from "./composer.js";
import { h, icon, picture } from "./dom.js";
import { extras, voiced } from "./later.js";
import { MessageList, SLOW } from "./message-list.js";
import { plain } from "./plain.js";
import { Suggestions } from "./suggestions.js";

/** The chat's window: head, messages, suggestions, line, composer. Shows a conversation. */
export class Panel {
  #words;
  #own;
  #conversation;
  #parts;
  #list;
  #composer;
  #suggestions;
  /** @type {any} */
  #site = null;
  #limit = 2000;
  #drawn = 0;
  /** What is shown is of a conversation that ended under the reader's eyes. */
  #ended = false;
  /** The conversation that the visitor ended. @type {string | undefined} */
  #over;
  #last = { id: "", messages: /** @type {import("./transcript.js").Message[]} */ ([]) };

  /**
   * @param {import("./strings.js").Language} language
   * @param {import("./conversation.js").Conversation} conversation
   * @param {import("./storage.js").Store} store
   * @param {{close: () => void, tell: (name: string, detail: object) => void}} hooks
   */
  constructor(language, conversation, store, hooks) {
    const { words, lang, dir } = language;
    this.#words = words;
    this.#conversation = conversation;
    this.#list = new MessageList(language, {
      earlier: () => conversation.earlier(),
      resend: (id) => conversation.resend(id),
      regenerate: (message) => conversation.regenerate(message),
      feedback: (id, value, comment) => {
        conversation.feedback(id, value, comment);
        if (!comment) hooks.tell("feedback", { id, value });
      },
    });
    this.#composer = new Composer({ words, lang }, store, {
      say: (text) => this.say(text),
      stop: () => conversation.stop(),
      typing: () => conversation.typing(),
    });
    this.#suggestions = new Suggestions(words.suggestions, (text) => {
      this.focus();
      this.say(text);
    });
    this.#parts = {
      avatar: h("span", { class: "avatar", "aria-hidden": "true" }),
      name: h("h2", { id: "name" }, words.conversation),
      role: h("p"),
      hint: h("p", { class: "hint" }, words.hint),
      line: h("p", { class: "line", role: "status", dir: "auto" }),
      announcer: h("div", { class: "hidden", "aria-live": "polite" }),
    };
    this.element = this.#build(hooks.close, { lang, dir });
    const focus = () => this.focus();
    const restart = () => (this.restart(), focus());
    this.#own = { element: this.element, conversation, store, language, focus, restart, h, picture };
    this.element.append(this.#handle(store));
    conversation.addEventListener("change", () => this.#schedule());
    conversation.addEventListener("finished", (/** @type {any} */ event) =>
      this.#announce(event.detail),
    );
  }

  /** Takes the site's words and faces. @param {any} site @param {number} limit */
  dress(site, limit) {
    this.#site = site;
    this.#limit = limit;
    this.#last = { id: "", messages: [] }; // what the server has just given is all there is
    const { name, avatar } = site.agent;
    const { title, hint } = site.texts ?? {};
    this.#parts.name.textContent = title || name;
    this.#parts.hint.textContent = hint || this.#words.hint;
    const letter = name.slice(0, 1);
    const onerror = () => this.#parts.avatar.replaceChildren(letter);
    const face = /^https?:/.test(avatar) ? h("img", { src: avatar, alt: "", onerror }) : letter;
    this.#parts.avatar.replaceChildren(face);
    voiced(this.#own);
    if (site.consent) extras().then(({ tellFirst }) => tellFirst(this.#own, site.consent));
    this.#draw();
  }

  /** Puts the keyboard into the composer; not on a phone, where it would cover the greeting. */
  focus() {
    if (matchMedia("(pointer: fine)").matches) this.#composer.focus();
    else this.element.focus({ preventScroll: true });
  }

  /** The panel has come into view. */
  shown() {
    this.#draw();
    this.#list.toEnd();
  }

  /** @param {string} text */
  say(text) {
    const agree = this.element.querySelector(".agree");
    if (agree) {
      this.fill(text);
      return agree.focus();
    }
    this.#conversation.say(text);
    setTimeout(() => this.#schedule(), SLOW + 50); // perhaps to say that it still waits
    this.#draw();
    this.#list.toEnd();
  }

  /** Proposes words to say, below those the visitor has begun to write. @param {string} text */
  fill(text) {
    this.#composer.fill(text);
  }

  restart() {
    this.#over = this.#conversation.transcript.conversation?.id;
    this.#last.messages = []; // the answer may come before the next drawing
    this.#conversation.restart();
  }

  /** @param {() => void} close @param {object} language its attributes */
  #build(close, language) {
    const { avatar, name, role, hint, line, announcer } = this.#parts;
    const onclick = async () => {
      const { unfold, ownItems } = await extras();
      unfold(more, await ownItems(this.#own));
    };
    const label = { type: "button", "aria-label": this.#words.menu, "aria-expanded": "false" };
    /** @type {HTMLElement} */
    const more = h("button", { ...label, onclick }, icon("more"));
    const closing = { class: "close", type: "button", onclick: close };
    const shut = h("button", { ...closing, "aria-label": this.#words.close }, icon("close"));
    const title = h("div", { class: "title" }, name, role);
    const head = h("header", { part: "header" }, avatar, title, more, shut);
    const foot = h("footer", {}, this.#composer.element, hint);
    // By autofocus a sheet has the focus itself, and no keyboard comes up on a phone.
    const names = { class: "panel", part: "panel", "aria-labelledby": "name" };
    const dialog = { ...language, ...names, ...NO_FILES, tabindex: -1, autofocus: true };
    // Not in the foot: what comes and goes takes room from the messages, and moves no composer.
    const between = [this.#suggestions.element, line];
    return h("dialog", dialog, head, this.#list.element, ...between, foot, announcer);
  }

  /** The corner that makes the panel larger. @param {import("./storage.js").Store} store */
  #handle(store) {
    const { element } = this;
    const { w, h: high } = store.get("size") ?? {};
    if (w) element.style.cssText = `--w:${w}px;--h:${high}px`;
    const wake = async () => {
      handle.onpointerenter = handle.onfocus = null;
      const { resizable } = await extras();
      resizable(handle, element, store);
    };
    const names = { class: "resize", role: "separator", tabindex: 0, "aria-valuenow": w ?? 400 };
    const handle = h("div", { ...names, "aria-label": this.#words.resize });
    handle.onpointerenter = handle.onfocus = wake;
    return handle;
  }

  /** Many frames, one drawing. A hidden page has no animation frames. */
  #schedule() {
    if (this.#drawn || !this.element.isConnected) return;
    const draw = () => this.#draw();
    this.#drawn = document.hidden ? setTimeout(draw, 100) : requestAnimationFrame(draw);
  }

  #draw() {
    this.#drawn = 0;
    const { transcript, pending, unavailable } = this.#conversation;
    const messages = this.#kept(transcript.visible());
    const greeting = this.#site?.greeting ?? "";
    const agent = this.#site?.agent.name ?? "";
    const { earlier } = transcript;
    if (!messages.length) this.#parts.announcer.replaceChildren(); // of what is erased
    const typing = this.#typing(agent);
    const now = transcript.now();
    const view = { messages, pending, greeting, agent, typing, earlier, now };
    if (this.#list.update(view)) this.#schedule();
    const streaming = Boolean(transcript.open());
    const placeholder = this.#site?.texts?.placeholder;
    const state = { streaming, limit: this.#limit, disabled: unavailable, placeholder };
    this.#composer.update(state);
    if (this.#suggestions.show(unavailable || pending.length ? [] : this.#offers())) this.focus();
    const words = this.#line();
    if (this.#parts.line.textContent !== words) this.#parts.line.textContent = words;
    const human = transcript.conversation?.state === "human";
    const role = human ? this.#words.person : this.#words.assistant;
    const subtitle = !human && this.#site?.texts?.subtitle;
    this.#parts.role.textContent = subtitle || (this.#site ? `${role} · ${this.#site.name}` : "");
  }

  /**
   * When staff close the conversation its words stay, until the visitor writes the next ones.
   * @param {import("./transcript.js").Message[]} messages
   */
  #kept(messages) {
    const { transcript, pending } = this.#conversation;
    const id = transcript.conversation?.id ?? "";
    const { id: was, messages: old } = this.#last;
    this.#ended = id !== "" && id !== was && !messages.length && !pending.length && old.length > 0;
    if (this.#ended) return old;
    this.#last = { id, messages: id === this.#over ? [] : messages };
    return messages;
  }

  /** What can be said by a press now. @returns {string[]} */
  #offers() {
    const newest = this.#conversation.transcript.all().at(-1);
    if (!newest) return this.#ended ? [] : (this.#site?.suggestions ?? []);
    return (newest.state === "complete" && newest.replies) || [];
  }

  /** Words for what the other side is doing while no words of it are to be seen. @param {string} agent */
  #typing(agent) {
    const { transcript } = this.#conversation;
    const open = transcript.open();
    const sign = transcript.typing;
    if (open?.text) return "";
    const alive = sign && sign.until > performance.now();
    if (!open && !alive) return "";
    const stage = (alive && sign.stage) || "writing";
    return (/** @type {Record<string, string>} */ (this.#words)[stage] ?? this.#words.writing).replace("{name}", agent);
  }

  #line() {
    const { unavailable, offline, forgetful, notice, transcript } = this.#conversation;
    if (unavailable) return this.#words.unavailable;
    const memory = forgetful ? this.#words.memory : "";
    if (offline) return `${this.#words.offline} ${memory}`.trim();
    if (this.#ended) return this.#words.ended;
    return notice || memory || (transcript.state === "limited" ? this.#words.limited : "");
  }

  /** A screen reader hears whole replies, not the pieces. @param {import("./transcript.js").Message} message */
  #announce({ id, text, name, error }) {
    const who = name || this.#site?.agent.name;
    const words = plain(`${text} ${error ? this.#words.broken : ""}`).trim();
    if (words) this.#parts.announcer.replaceChildren(h("p", { "data-of": id }, `${who}: ${words}`));
  }
}
