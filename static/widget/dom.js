/**
 * Builds an element: `on…` become listeners, the rest attributes; null, false and undefined are
 * left out. Text always goes in as text.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value || value === 0) element.setAttribute(name, value);
  }
  for (const child of children) if (child || child === "") element.append(child);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9.5l6 6 6-6",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  send: "M12 19V5.5M5.5 12L12 5.5l6.5 6.5",
  stop: "M8 8h8v8H8z",
  copy: "M9 9h10v10H9zM6 15H5V5h10v1",
  done: "M5 12.5l4.5 4.5L19 7.5",
  good: "M4 11h3v8H4zM7 11l4-7q3 0 1.4 6H19l-2 9H7",
  again: "M19 6v4.5h-4.5M18.6 10.5A7 7 0 1 0 19 14",
};

/** @type {Record<string, SVGElement>} */
const drawn = {};

/** @param {keyof typeof SHAPES} name */
export function icon(name) {
  return (drawn[name] ??= picture(SHAPES[name], name)).cloneNode(true);
}

/** @param {string} path in a square of 24 @param {string} [name] */
export function picture(path, name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/**
 * A button that is only an icon.
 * @param {keyof typeof SHAPES} name
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 */
export function tool(name, label, onclick) {
  const attributes = { class: "tool", type: "button", "aria-label": label, title: label, onclick };
  return h("button", attributes, icon(name));
}
