/**
 * A site's theme as a style sheet. Other sheets of the host page still have the last word.
 * @param {{accent?: string, radius?: number, scheme?: string}} theme
 */
export function lookOf({ accent = "", radius, scheme = "" }) {
  const colour = /^#[0-9a-f]{6}$/i.test(accent) ? `--sales-chat-accent:${accent};` : "";
  const corner = Number.isFinite(radius) ? `--sales-chat-corner:${radius}px;` : "";
  return `:host{${colour}${corner}${/^(light|dark)$/.test(scheme) ? `color-scheme:${scheme}` : ""}}`;
}
