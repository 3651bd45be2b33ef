import { h } from "./dom.js";
import { extras } from "./later.js";

const FENCE = /^\s*```/;
const ITEM = /^\s*(?:[-*+•]|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^\s*#{1,6}\s+(.*?)\s*#*\s*$/;
const ADDRESS = String.raw`https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}*_]`;
const INLINE = new RegExp(
  [
    String.raw`\\(?<escaped>[\\\x60*_[\]()#+.!-])`,
    "`(?<code>[^`]+)`",
    String.raw`\*\*(?=\S)(?<strong>.*?\S)\*\*`,
    String.raw`\*(?=[^\s*])(?<star>[^*]*[^\s*])\*`,
    String.raw`(?<!\w)_(?=[^\s_])(?<bar>[^_]*[^\s_])_(?!\w)`,
    String.raw`!?\[(?<label>[^\]]+)\]\((?<href>(?:[^\s()]|\([^\s()]*\))+)(?:\s+"[^"]*")?\)`,
    `(?<bare>${ADDRESS})`,
    String.raw`(?<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)`,
  ].join("|"),
  "gs",
);

/** Comes with the first words that may hold a table. @type {typeof import("./extras.js").parts | undefined} */
let tables;
let impatient = false;

/** What each target shows, block by block. @type {WeakMap<Element, string[]>} */
const shown = new WeakMap();
/** ... and of what. @type {WeakMap<Element, [string, boolean]>} */
const latest = new WeakMap();

/**
 * Shows `text` in `target` as small markdown. What has not changed keeps its nodes, so that a growing
 * reply neither flickers nor loses a selection or the place a table was scrolled to.
 * @param {Element} target
 * @param {string} text
 * @param {boolean} [growing] the last block is not finished yet
 */
export function show(target, text, growing = false) {
  if (!tables) text = withoutTable(target, text, growing);
  const blocks = split(text, growing);
  const names = blocks.map((lines, index) => {
    const unfinished = growing && index === blocks.length - 1;
    return (unfinished ? "…" : "") + lines.join("\n");
  });
  const before = shown.get(target) ?? [];
  let same = 0;
  while (same < names.length && names[same] === before[same]) same++;
  const fresh = blocks.slice(same).map((lines, at) => build(lines, names[same + at].startsWith("…")));
  graft(target, fresh, same);
  shown.set(target, names);
}

/**
 * What can be shown before tables can: the words above the first, which follows when they can be drawn
 * or, in vain after three seconds, as the text it is.
 * @param {Element} target
 * @param {string} text
 * @param {boolean} growing
 */
function withoutTable(target, text, growing) {
  const start = text.search(/^\s*\||^.*\|.*\n\s*:?-+/m);
  if (start < 0 || impatient) return text;
  if (!latest.has(target)) {
    const late = new Promise((resolve) => setTimeout(resolve, 3000)).then(() => (impatient = true));
    const there = extras().then((parts) => (tables = parts));
    Promise.race([there, late]).then(() => {
      show(target, .../** @type {[string, boolean]} */ (latest.get(target)));
    });
  }
  latest.set(target, [text, growing]);
  return text.slice(0, start);
}

/** Makes the children of `target`, from one on, like these. @param {Element} target @param {Node[]} wanted */
function graft(target, wanted, from = 0) {
  while (target.childNodes.length > from + wanted.length) target.lastChild?.remove();
  wanted.forEach((next, at) => {
    const old = target.childNodes[from + at];
    if (!old) target.append(next);
    else if (old.isEqualNode(next)) return;
    else if (next instanceof Text && old instanceof Text && next.data.startsWith(old.data)) {
      old.appendData(next.data.slice(old.length));
    } else if (next instanceof Element && next.cloneNode().isEqualNode(old.cloneNode())) {
      graft(/** @type {Element} */ (old), [...next.childNodes]);
    } else old.replaceWith(next);
  });
}

/**
 * A link that may be followed, or the bare label. Its words may say anything, so one that leads off
 * the host page's own site says where to.
 * @param {string} label
 * @param {string} [href]
 * @param {Node[]} [inside]
 */
export function link(label, href = "", inside = [document.createTextNode(label)]) {
  const safe = /^(https?:\/\/|mailto:|tel:)/i.test(href) && URL.canParse(href);
  if (!safe) return h("span", {}, ...inside);
  const { host } = new URL(href);
  const plain = label === href;
  const foreign = !plain && host !== location.host && host;
  const where = { href, title: !plain && href, "data-to": foreign };
  return h("a", { ...where, target: "_blank", rel: "noopener noreferrer nofollow" }, ...inside);
}

/**
 * The lines of each block: a fence, a list, a heading, a table, a paragraph.
 * @param {string} text @param {boolean} growing @returns {string[][]}
 */
function split(text, growing) {
  /** @type {string[][]} */
  const blocks = [];
  /** @type {string[]} */
  let block = [];
  let kind = "";
  const end = () => {
    if (block.length) blocks.push(block);
    block = [];
    kind = "";
  };
  const lines = text.split("\n");
  for (const [at, line] of lines.entries()) {
    if (kind === "fence") {
      block.push(line);
      if (FENCE.test(line)) end();
      continue;
    }
    const rows = kind === "table" ? line.includes("|") : tables?.tableAt(lines, at, growing);
    const next = FENCE.test(line) ? "fence" : rows ? "table" : ITEM.test(line) ? "list" : "text";
    const alone = HEADING.test(line);
    if (!line.trim() || next !== kind || alone) end();
    if (!line.trim()) continue;
    block.push(line);
    kind = next;
    if (alone) end();
  }
  end();
  return blocks;
}

/** @param {string[]} lines @param {boolean} growing */
function build(lines, growing) {
  if (FENCE.test(lines[0])) {
    const closed = lines.length > 1 && FENCE.test(lines[lines.length - 1]);
    return h("pre", { tabindex: 0 }, h("code", {}, lines.slice(1, closed ? -1 : undefined).join("\n")));
  }
  if (tables?.tableAt(lines, 0, growing)) return tables.table(lines, (cell) => inline(cell, growing));
  const first = lines[0].match(ITEM);
  if (first) {
    const items = lines.map((line) => h("li", {}, ...inline(line.match(ITEM)?.[2] ?? "", growing)));
    return first[1] ? h("ol", { start: Number(first[1]) }, ...items) : h("ul", {}, ...items);
  }
  const heading = lines[0].match(HEADING);
  if (heading) return h("p", {}, h("strong", {}, ...inline(heading[1], growing)));
  const parts = lines.flatMap((line, index) => [
    ...(index ? [h("br")] : []),
    ...inline(line, growing && index === lines.length - 1),
  ]);
  return h("p", {}, ...parts);
}

/** @param {string} text @param {boolean} growing @returns {Node[]} */
function inline(text, growing = false) {
  if (growing) text = tidy(text);
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) nodes.push(document.createTextNode(text.slice(at, match.index)));
    nodes.push(piece(match.groups ?? {}));
    at = match.index + match[0].length;
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

/** @param {Record<string, string>} groups of `INLINE` @returns {Node} */
function piece({ escaped, code, strong, star, bar, label, href, bare, mail }) {
  if (escaped) return document.createTextNode(escaped);
  if (code) return h("code", {}, code);
  if (strong) return h("strong", {}, ...inline(strong));
  if (star || bar) return h("em", {}, ...inline(star || bar));
  if (label) return link(label, href);
  return bare ? link(bare, bare) : link(mail, `mailto:${mail}`);
}

/** Half a mark at the end of a growing text is shown as what it will be. @param {string} text */
function tidy(text) {
  text = text.replace(/!?\[([^\]]*)(\](\([^)]*)?)?$/, "$1").replace(/\*+$/, "");
  return (text.match(/\*\*/g)?.length ?? 0) % 2 ? `${text.trimEnd()}**` : text;
}
