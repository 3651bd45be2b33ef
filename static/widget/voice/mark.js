const NAME = "sales-chat-spoken";
const SEEN = /[\p{L}\p{N}]/gu;

/**
 * How many letters and digits of this are shown: neither marks, nor where a link leads, nor the
 * number of a list's line.
 * @param {string} text as it was written, with its marks
 */
export function letters(text) {
  const shown = text.replace(/\]\([^)]*\)|^\s*\d{1,9}[.)]\s/gm, "");
  return shown.match(SEEN)?.length ?? 0;
}

/** From one letter of an element's text to another. @param {Node} element @param {number} start @param {number} end */
function rangeOf(element, start, end) {
  const range = document.createRange();
  const nodes = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node, count = 0; (node = /** @type {Text | null} */ (nodes.nextNode())); ) {
    for (const { index, 0: letter } of node.data.matchAll(SEEN)) {
      if (count++ === start) range.setStart(node, index);
      if (count === end) range.setEnd(node, index + letter.length);
    }
  }
  return range;
}

/** Marks what is being said in the message where it stands. */
export class Mark {
  /** @type {HTMLElement | null | undefined} */
  #row;

  /**
   * @param {HTMLElement | null} row of the message, if it is there
   * @param {string} text of the message
   * @param {import("./speaker.js").Part} [part] of it
   */
  show(row, text, part) {
    this.clear();
    const shown = row?.querySelector(".text");
    if (!row || !shown) return;
    this.#row = row;
    const { highlights } = CSS;
    const { off = 0, size } = part ?? {};
    if (!highlights || !size) {
      row.dataset.spoken = ""; // the whole message is marked
      return;
    }
    const start = letters(text.slice(0, off));
    const end = start + letters(text.slice(off, off + size));
    highlights.set(NAME, new Highlight(rangeOf(shown, start, end)));
  }

  clear() {
    delete this.#row?.dataset.spoken;
    CSS.highlights?.delete(NAME);
  }
}
