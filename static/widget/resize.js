const LEAST = { w: 300, h: 360 };
const STEP = 20;
/** @type {Record<string, number[]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Makes the panel's handle work: dragged, or moved with the arrow keys. Loaded when somebody
 * reaches for it; the size is kept as `{w, h}` in pixels.
 * @param {HTMLElement} handle
 * @param {HTMLElement} panel
 * @param {import("./storage.js").Store} store
 */
export function resizable(handle, panel, store) {
  const size = () => ({ w: panel.offsetWidth, h: panel.offsetHeight });
  const tell = () => {
    const { w, h } = size();
    handle.setAttribute("aria-valuenow", String(w));
    handle.setAttribute("aria-valuetext", `${w} × ${h}`);
  };
  /**
   * Away from the corner that the panel stands in is larger; the window sets the limit.
   * @param {{w: number, h: number}} from
   * @param {number} right
   * @param {number} down
   */
  const grow = (from, right, down) => {
    const out = getComputedStyle(handle).direction === "ltr" ? -right : right;
    panel.style.setProperty("--w", `${Math.max(from.w + out, LEAST.w)}px`);
    panel.style.setProperty("--h", `${Math.max(from.h - down, LEAST.h)}px`);
    store.set("size", size());
    tell();
  };
  handle.onpointerdown = ({ pointerId, clientX, clientY }) => {
    const from = size();
    handle.setPointerCapture(pointerId);
    handle.onpointermove = (move) => grow(from, move.clientX - clientX, move.clientY - clientY);
  };
  handle.onlostpointercapture = () => (handle.onpointermove = null);
  handle.onkeydown = (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    grow(size(), move[0] * STEP, move[1] * STEP);
  };
  handle.setAttribute("aria-valuemin", String(LEAST.w));
  handle.setAttribute("aria-valuemax", String(innerWidth));
  tell();
}
