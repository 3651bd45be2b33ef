/** Copies a text where only the older way is open. @param {string} text */
export function copiedOldWay(text) {
  const put = (/** @type {ClipboardEvent} */ event) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  document.addEventListener("copy", put, { capture: true, once: true });
  return document.execCommand("copy");
}
