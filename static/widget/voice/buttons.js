import { spokenOf } from "./words.js";

const READ = "M4 9.5v5h3.5L12 18V6L7.5 9.5zM15.5 9q2 3 0 6M18.3 6.5q3.6 5.5 0 11";
const TALK = "M9.5 7a2.5 2.5 0 0 1 5 0v4.5a2.5 2.5 0 0 1-5 0zM6 11.5a6 6 0 0 0 12 0M12 17.5V21";

/**
 * What a tap has to do itself: a browser lets nothing sound that was not begun by one.
 * @typedef {[HTMLAudioElement, HTMLAudioElement]} Players
 */

/** @type {Players | undefined} */
let players;
/** @type {Promise<InstanceType<typeof import("./voice.js").parts.Voice>> | undefined} */
let voice;

/**
 * Gives the chat its buttons to speak and to be read to; what they do is loaded at the first tap.
 * @param {import("../own.js").Chat} chat
 */
export async function offer(chat) {
  const { element, conversation, store, language, h, picture } = chat;
  if (element.dataset.voice) return;
  element.dataset.voice = "on";
  const words = await spokenOf(language.lang);
  const { input, output } = conversation.voice;
  voice?.then((old) => old.end()); // of the panel in another language
  voice = undefined;
  /** @param {(voice: InstanceType<typeof import("./voice.js").parts.Voice>) => void} act */
  const use = (act) => {
    players ??= unlocked();
    const sound = players;
    voice ??= import("./voice.js").then(({ parts }) => new parts.Voice(chat, words, sound, tools));
    voice.then(act, () => (voice = undefined)); // asked for again at the next tap
  };
  /** @param {string} kind @param {string} path @param {string} label @param {(event: MouseEvent) => void} onclick */
  const button = (kind, path, label, onclick) =>
    h("button", { class: kind, type: "button", "aria-label": label, title: label, onclick }, picture(path));
  const tools = { button, read: h("i"), talk: h("i") };
  if (output !== "off") {
    tools.read = button("read", READ, words.read, (_, { rev } = conversation.transcript) => use((it) => it.read(rev)));
    element.querySelector("header > button")?.before(tools.read);
    tools.read.ariaPressed = "false";
    const list = /** @type {HTMLElement} */ (element.querySelector(".rows"));
    const hear = () => {
      for (const bar of list.querySelectorAll(".actions:not(:has(.hear))")) {
        const row = /** @type {HTMLElement} */ (bar.closest(".row"));
        bar.prepend(button("tool hear", READ, words.hear, () => use((it) => it.hear(row))));
      }
    };
    new MutationObserver(hear).observe(list, { childList: true, subtree: true });
    hear();
    if (store.get("aloud")) {
      use((it) => it.read());
      for (const kind of ["click", "keydown"]) element.addEventListener(kind, () => players?.forEach(wake), { once: true });
    }
  }
  if (input !== "off") {
    tools.talk = button("talk", TALK, words.talk, () => use((it) => it.talk()));
    tools.talk.style = "color: inherit; background: none"; // the style sheet comes with the rest
    element.querySelector(".stop")?.before(tools.talk);
    tools.talk.ariaPressed = "false";
  }
}

/** Two, that take turns. @returns {Players} */
function unlocked() {
  globalThis.speechSynthesis?.speak(new SpeechSynthesisUtterance(""));
  const quiet = URL.createObjectURL(new Blob([SILENCE], { type: "audio/wav" }));
  const pair = /** @type {Players} */ ([new Audio(quiet), new Audio(quiet)]);
  pair.forEach(wake);
  return pair;
}

/** Where no tap came first, the next one has to do it again. @param {HTMLAudioElement} player */
function wake(player) {
  if (player.readyState < 2 || player.duration < 0.01) player.play().catch(() => {});
}

/** Eight samples of nothing. */
const SILENCE = Uint8Array.from(
  atob("UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA=="),
  (letter) => letter.charCodeAt(0),
);
