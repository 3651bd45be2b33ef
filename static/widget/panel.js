import { Composer } from "./composer.js";
import { h, icon } from "./dom.js";
import { MessageList, SLOW } from "./message-list.js";

/** The chat's window: head, messages, suggestions, line, composer. Shows a conversation. */
export class Panel {
  #words;
  #conversation;
  #parts;
  #list;
  #composer;
  #site = null;
  #limit = 2000;
  #drawn = 0;

  /**
   * @param {import("./strings.js").Language} language
   * @param {import("./conversation.js").Conversation} conversation
   * @param {import("./storage.js").Store} store
   * @param {() => void} close
   */
  constructor({ words, lang, dir }, conversation, store, close) {
    this.#words = words;
    this.#conversation = conversation;
    this.#list = new MessageList(words, {
      earlier: () => conversation.earlier(),
      resend: (id) => conversation.resend(id),
      regenerate: (message) => conversation.regenerate(message),
    });
    this.#composer = new Composer(words, store, {
      say: (text) => this.#say(text),
      stop: () => conversation.stop(),
      typing: () => conversation.typing(),
    });
    this.#parts = {
      avatar: h("span", { class: "avatar", "aria-hidden": "true" }),
      name: h("h2", { id: "name" }),
      role: h("p"),
      suggestions: h("div", { class: "suggestions", role: "group" }),
      line: h("p", { class: "line", role: "status" }),
      announcer: h("div", { class: "hidden", "aria-live": "polite" }),
    };
    this.#parts.suggestions.setAttribute("aria-label", words.suggestions);
    this.element = this.#build(close, { lang, dir });
    conversation.addEventListener("change", () => this.#schedule());
    conversation.addEventListener("finished", ({ detail }) => this.#announce(detail));
  }

  /** Takes the site's look and words. @param {any} site @param {number} limit */
  dress(site, limit) {
    this.#site = site;
    this.#limit = limit;
    const { name, avatar } = site.agent;
    this.#parts.name.textContent = name;
    const face = /^https?:/.test(avatar) ? h("img", { src: avatar, alt: "" }) : name.slice(0, 1);
    this.#parts.avatar.replaceChildren(face);
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

  #build(close, language) {
    const { avatar, name, role, suggestions, line, announcer } = this.#parts;
    const { menu, button } = this.#menu();
    const closing = { class: "close", type: "button", onclick: close };
    const shut = h("button", { ...closing, "aria-label": this.#words.close }, icon("close"));
    const title = h("div", { class: "title" }, name, role);
    const head = h("header", { part: "header" }, avatar, title, button, shut, menu);
    const hint = h("p", { class: "hint" }, this.#words.hint);
    const foot = h("footer", {}, suggestions, line, this.#composer.element, hint);
    const dialog = { ...language, class: "panel", part: "panel", role: "dialog", tabindex: -1 };
    dialog["aria-labelledby"] = "name";
    return h("section", dialog, head, this.#list.element, foot, announcer);
  }

  #menu() {
    const toggle = (open) => {
      menu.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    };
    const onfocusout = ({ relatedTarget }) => {
      if (relatedTarget !== button && !menu.contains(relatedTarget)) toggle(false);
    };
    const restart = () => {
      toggle(false);
      this.#conversation.restart();
      this.focus();
    };
    const onkeydown = (event) => {
      if (event.key !== "Escape" || menu.hidden) return;
      event.stopPropagation();
      toggle(false);
      button.focus();
    };
    const label = { "aria-label": this.#words.menu, "aria-expanded": "false" };
    const onclick = () => {
      toggle(menu.hidden);
      if (!menu.hidden) menu.firstChild.focus();
    };
    const button = h("button", { type: "button", ...label, onclick, onkeydown }, icon("more"));
    const action = { type: "button", onclick: restart };
    const item = h("button", action, icon("fresh"), this.#words.restart);
    const menu = h("div", { class: "menu", hidden: true, onkeydown, onfocusout }, item);
    return { menu, button };
  }

  #say(text) {
    this.#conversation.say(text);
    setTimeout(() => this.#schedule(), SLOW + 50); // perhaps to say that it still waits
    this.#draw();
    this.#list.toEnd();
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
    const messages = transcript.visible();
    const greeting = this.#site?.greeting ?? "";
    const agent = this.#site?.agent.name ?? "";
    const { earlier } = transcript;
    const typing = this.#typing(agent);
    this.#list.update({ messages, pending, greeting, agent, typing, earlier });
    const streaming = Boolean(transcript.open());
    this.#composer.update({ streaming, limit: this.#limit, disabled: unavailable });
    this.#suggest(!transcript.all().length && !pending.length && !unavailable);
    const words = this.#line();
    if (this.#parts.line.textContent !== words) this.#parts.line.textContent = words;
    const human = transcript.conversation?.state === "human";
    const role = human ? this.#words.person : this.#words.assistant;
    this.#parts.role.textContent = this.#site ? `${role} · ${this.#site.name}` : "";
  }

  /** Words for what the other side is doing while no words of it are to be seen. */
  #typing(agent) {
    const { transcript } = this.#conversation;
    const open = transcript.open();
    const sign = transcript.typing;
    if (open?.text) return "";
    const alive = sign && sign.until > Date.now();
    if (!open && !alive) return "";
    const stage = (alive && sign.stage) || "writing";
    return (this.#words[stage] ?? this.#words.writing).replace("{name}", agent);
  }

  #line() {
    const { unavailable, offline, notice, transcript } = this.#conversation;
    if (unavailable) return this.#words.unavailable;
    if (offline) return this.#words.offline;
    return notice || (transcript.state === "limited" ? this.#words.limited : "");
  }

  #suggest(wanted) {
    const texts = wanted ? (this.#site?.suggestions ?? []) : [];
    const { suggestions } = this.#parts;
    if (suggestions.textContent === texts.join("")) return;
    const press = (text) => () => {
      this.#say(text);
      this.focus();
    };
    const chips = texts.map((text) => h("button", { type: "button", onclick: press(text) }, text));
    suggestions.replaceChildren(...chips);
  }

  /** A screen reader hears whole replies, not the pieces. */
  #announce({ id, text, name, error }) {
    const who = name || this.#site?.agent.name;
    const plain = (text || error?.message || "").replace(/[*`#]+|\]\([^)]*\)|\[/g, "");
    if (plain) this.#parts.announcer.replaceChildren(h("p", { "data-of": id }, `${who}: ${plain}`));
  }
}
