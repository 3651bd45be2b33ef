import { h } from "./dom.js";

/** @typedef {{shape: SVGElement, name: string, act: () => void}} Item */

/**
 * What the head's button unfolds, behind it, and open: made when the button was pressed.
 * @param {HTMLElement} button
 * @param {Item[]} items
 */
export function unfold(button, items) {
  /** @param {boolean} open */
  const toggle = (open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  const press = () => {
    toggle(list.hidden);
    if (!list.hidden) list.firstChild.focus();
  };
  /** @param {KeyboardEvent} event */
  const onkeydown = (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.preventDefault(); // nor does a sheet close by it
    event.stopPropagation();
    toggle(false);
    button.focus();
  };
  /** @param {FocusEvent} event */
  const onfocusout = ({ relatedTarget }) => {
    if (relatedTarget !== button && !list.contains(relatedTarget)) toggle(false);
  };
  const rows = items.map(({ shape, name, act }) => {
    const onclick = () => {
      toggle(false);
      act();
    };
    return h("button", { type: "button", onclick }, shape, name);
  });
  const list = h("div", { class: "menu", hidden: true, onkeydown, onfocusout }, ...rows);
  button.onclick = press;
  button.onkeydown = onkeydown;
  button.parentElement?.querySelector(".menu")?.remove(); // pressed twice while it was loaded
  button.after(list);
  press();
}
