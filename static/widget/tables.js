import { h } from "./dom.js";

const RULE = /^\s*\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?$/;
const HALF_RULE = /^\s*\|?[\s:|-]*$/;
// A sum, a share, a size: signs before it, figures, a short unit after it.
const NUMBER = /^[\p{Sc}+−–~≈-]*\s*\d[\d\s.,:/]*\s*(?:[%‰]|\p{Sc}|\p{L}{1,3})?$/u;

/**
 * Whether a table begins at this line. While a text grows, a first row may stand there alone.
 * @param {string[]} lines @param {number} at @param {boolean} growing
 */
export function tableAt(lines, at, growing) {
  const [row, rule] = lines.slice(at, at + 2);
  if (!row.includes("|")) return false;
  if (rule && RULE.test(rule)) return true;
  return growing && at + 2 >= lines.length && /^\s*\|/.test(row) && HALF_RULE.test(rule ?? "");
}

/**
 * A table in a frame of its own that scrolls, by the keyboard too.
 * @param {string[]} lines
 * @param {(text: string) => Node[]} inline
 */
export function table([heads, rule = "", ...rows], inline) {
  const titles = cells(heads);
  const body = rows.map((row) => cells(row).slice(0, titles.length));
  const looks = cells(rule).map((mark) => (/^:.*:$/.test(mark) ? "middle" : mark.endsWith(":") && "number"));
  const look = (/** @type {number} */ column) => {
    const said = body.map((row) => row[column]).filter(Boolean);
    return looks[column] || (said.length > 0 && said.every((it) => NUMBER.test(it)) && "number");
  };
  const classes = titles.map((_, column) => look(column));
  const line = (/** @type {string} */ tag, /** @type {string[]} */ texts) => {
    const made = texts.map((text, column) => h(tag, { class: classes[column] }, ...inline(text)));
    return h("tr", {}, ...made);
  };
  const head = h("thead", {}, line("th", titles));
  const grid = h("table", { dir: "auto" }, head, h("tbody", {}, ...body.map((row) => line("td", row))));
  const name = titles.join(", ").replace(/[*\x60_]/g, "");
  return h("div", { class: "table", tabindex: 0, role: "group", "aria-label": name }, grid);
}

/** @param {string} row @returns {string[]} */
function cells(row) {
  const inside = row.trim().replace(/^\||(?<!\\)\|$/g, "");
  return inside.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}
