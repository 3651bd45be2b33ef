import { h, icon, tool } from "./dom.js";

const LONGEST = 500;

/**
 * Asks what was wrong with a reply.
 * @param {HTMLElement} place where it asks
 * @param {string} id of the reply
 * @param {import("./feedback.js").Tools} tools
 * @param {HTMLElement} bad the thumb that was pressed
 * @param {HTMLElement} thanks where it says so
 * @param {boolean} byKey
 */
export function askWhy(place, id, { words, actions, tell }, bad, thanks, byKey) {
  const close = (/** @type {string} */ why) => {
    place.hidden = true;
    bad.focus();
    if (!why) return;
    actions.feedback(id, -1, why);
    thanks.textContent = words.thanks;
    tell(words.thanks);
  };
  if (!place.firstChild) place.append(whyForm(words, close));
  if (byKey) place.querySelector("input")?.focus();
}

/**
 * What it asks with; `done` gets the visitor's words, or "".
 * @param {import("./strings.js").Words} words
 * @param {(why: string) => void} done
 * @returns {HTMLFormElement}
 */
function whyForm(words, done) {
  const names = { "aria-label": words.why, placeholder: words.why };
  const field = h("input", { ...names, maxlength: LONGEST, dir: "auto", autocomplete: "off" });
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    done(field.value.trim());
    field.value = "";
  };
  const onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation(); // it is this field that closes, not the chat ...
    event.preventDefault(); // ... nor, by itself, the sheet
    done("");
  };
  const send = h("button", { class: "tool", "aria-label": words.send }, icon("send"));
  const cancel = tool("close", words.cancel, () => done(""));
  return h("form", { class: "why", onsubmit, onkeydown }, field, send, cancel);
}
