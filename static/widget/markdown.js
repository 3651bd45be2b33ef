import { h } from "./dom.js";

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

/** What each target shows, block by block. @type {WeakMap<Element, string[]>} */
const shown = new WeakMap();

/**
 * Shows `text` in `target` as small markdown. Blocks that have not changed keep their nodes, so that
 * a growing reply neither flickers nor loses a selection.
 * @param {Element} target
 * @param {string} text
 * @param {boolean} [growing] the last block is not finished yet
 */
export function show(target, text, growing = false) {
  const blocks = split(text);
  const names = blocks.map((lines, index) => {
    const unfinished = growing && index === blocks.length - 1;
    return (unfinished ? "…" : "") + lines.join("\n");
  });
  const before = shown.get(target) ?? [];
  let same = 0;
  while (same < names.length && names[same] === before[same]) same++;
  while (target.childNodes.length > same) target.lastChild?.remove();
  for (let index = same; index < blocks.length; index++) {
    target.append(build(blocks[index], names[index].startsWith("…")));
  }
  shown.set(target, names);
}

/**
 * A link that may be followed, or the bare label.
 * @param {string} label
 * @param {string} [href]
 * @param {Node[]} [inside]
 */
export function link(label, href = "", inside = [document.createTextNode(label)]) {
  const safe = /^(https?:\/\/|mailto:|tel:)/i.test(href) && URL.canParse(href);
  if (!safe) return h("span", {}, ...inside);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...inside);
}

/** The lines of each block: a fence, a list, a heading, a paragraph. @returns {string[][]} */
function split(text) {
  const blocks = [];
  /** @type {string[]} */
  let block = [];
  let kind = "";
  const end = () => {
    if (block.length) blocks.push(block);
    block = [];
    kind = "";
  };
  for (const line of text.split("\n")) {
    if (kind === "fence") {
      block.push(line);
      if (FENCE.test(line)) end();
      continue;
    }
    const next = FENCE.test(line) ? "fence" : ITEM.test(line) ? "list" : "text";
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
    return h("pre", {}, h("code", {}, lines.slice(1, closed ? -1 : undefined).join("\n")));
  }
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

/** @returns {Node} */
function piece({ escaped, code, strong, star, bar, label, href, bare, mail }) {
  if (escaped) return document.createTextNode(escaped);
  if (code) return h("code", {}, code);
  if (strong) return h("strong", {}, ...inline(strong));
  if (star || bar) return h("em", {}, ...inline(star || bar));
  if (label) return link(label, href);
  return bare ? link(bare, bare) : link(mail, `mailto:${mail}`);
}

/** Half a mark at the end of a growing text is shown as what it is about to become. */
function tidy(text) {
  text = text.replace(/!?\[([^\]]*)(\](\([^)]*)?)?$/, "$1").replace(/\*+$/, "");
  return (text.match(/\*\*/g)?.length ?? 0) % 2 ? `${text.trimEnd()}**` : text;
}
