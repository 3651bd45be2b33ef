import { h, picture } from "./dom.js";
import { spokenOf } from "./own-words.js";

/**
 * What this module is given of the chat.
 * @typedef {object} Chat
 * @property {HTMLElement} element the panel
 * @property {import("./conversation.js").Conversation} conversation
 * @property {import("./storage.js").Store} store
 * @property {import("./strings.js").Language} language
 * @property {() => void} focus puts the keyboard where the visitor writes
 * @property {() => void} restart
 * @property {typeof h} h
 * @property {typeof picture} picture
 */

const FRESH = "M12 5.5v13M5.5 12h13";
const SAVE = "M12 5v10M7.5 11l4.5 4.5 4.5-4.5M6 19h12";
const BIN = "M5 7.5h14M9.5 7.5V5h5v2.5M7 7.5l1 12h8l1-12";
const READ = 8000; // milliseconds in which a line is read

/** Puts it above the input, in place of what this module put there before. */
const show = (/** @type {Chat} */ { element }, /** @type {HTMLElement} */ box) => {
  element.querySelector(`.${box.classList[1]}`)?.remove();
  element.querySelector(".composer")?.before(box);
};

/** @param {Chat} chat @param {string} method @param {string} path @returns {Promise<Response>} */
async function ask({ conversation: { session } }, method, path) {
  const response = await fetch(session.server + path, {
    method,
    headers: { Authorization: `Bearer ${session.token}` },
    credentials: "omit",
    cache: "no-store",
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}

/** @param {Chat} chat */
async function download(chat) {
  const file = URL.createObjectURL(await (await ask(chat, "GET", "/api/chat/export")).blob());
  h("a", { href: file, download: "chat.json" }).click();
  setTimeout(() => URL.revokeObjectURL(file), 60_000);
}

/** A line that goes again by itself. @param {Chat} chat @param {string} text */
function say(chat, text) {
  const words = h("p", { role: "status" });
  const box = h("div", { class: "box asked" }, words);
  show(chat, box);
  setTimeout(() => (words.textContent = text), 50); // what comes into it is heard
  setTimeout(() => box.remove(), READ);
}

/**
 * What the menu has: a new conversation, to take the chat along, and to have it gone.
 * @param {Chat} chat
 * @returns {Promise<import("./menu.js").Item[]>}
 */
export async function ownItems(chat) {
  const words = await spokenOf(chat.language.lang).catch(() => null);
  const fresh = { shape: picture(FRESH), name: chat.language.words.restart, act: chat.restart };
  if (!words) return [fresh]; // no line
  const save = () => download(chat).catch(() => say(chat, words.failed));
  return [
    fresh,
    { shape: picture(SAVE), name: words.download, act: save },
    { shape: picture(BIN), name: words.erase, act: () => sure(chat, words) },
  ];
}

/** Asks once more. @param {Chat} chat @param {import("./own-words.js").Words} words */
function sure(chat, words) {
  const back = () => {
    box.remove();
    chat.focus();
  };
  const onclick = async () => {
    yes.disabled = true;
    try {
      // The server closes every socket of the visitor, and each tab forgets by that.
      await ask(chat, "DELETE", "/api/chat");
      back();
      say(chat, words.erased);
    } catch {
      yes.disabled = false;
      text.textContent = words.failed;
    }
  };
  const onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // nor does a sheet close by it
    event.stopPropagation();
    back();
  };
  const text = h("p", { id: "sure", role: "status" }, words.sure);
  const yes = h("button", { type: "button", class: "danger", onclick }, words.yes);
  const no = h("button", { type: "button", onclick: back }, chat.language.words.cancel);
  const names = { class: "box asked", role: "group", "aria-labelledby": "sure", onkeydown };
  const box = h("div", names, text, h("div", { class: "choice" }, yes, no));
  show(chat, box);
  no.focus(); // what can be taken back
}

/**
 * What the site says before the first message; where it asks nobody writes before they agree.
 * @param {Chat} chat
 * @param {NonNullable<import("./session.js").Site["consent"]>} consent
 */
export async function tellFirst(chat, { kind, text, link, version, accepted }) {
  const { element, conversation, store } = chat;
  element.querySelector(".told")?.remove();
  if (accepted || (kind === "ask" && store.get("consent") === version)) return;
  const words = await spokenOf(chat.language.lang);
  const agree = () => {
    store.set("consent", version);
    box.remove();
  };
  const onclick = () => {
    agree();
    chat.focus();
  };
  const to = { href: link, target: "_blank", rel: "noopener noreferrer" };
  const more = /^https?:/.test(link ?? "") && h("a", to, words.policy);
  const button = kind === "ask" && h("button", { type: "button", class: "agree", onclick }, words.agree);
  const said = h("p", { dir: "auto" }, text);
  const box = h("div", { class: "box told", role: "group", "aria-label": words.notice }, said, more, button);
  show(chat, box);
  if (kind === "ask") return;
  store.set("consent", version); // it goes along with what is said below it
  conversation.addEventListener("sent", () => box.remove(), { once: true });
}
