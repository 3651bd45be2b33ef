import { HostInterface } from "./api.js";
import { copiedOldWay } from "./copy.js";
import { greet } from "./greeting.js";
import { HttpLine } from "./http-line.js";
import { unfold } from "./menu.js";
import { News } from "./news.js";
import { ownItems, tellFirst } from "./own.js";
import { resizable } from "./resize.js";
import { table, tableAt } from "./tables.js";
import { askWhy } from "./why.js";

// What few visitors need, loaded with the first of it. The server puts its style sheet here; with
// DEBUG on it stays empty, and the sheet comes with the others.
const sheet = new CSSStyleSheet();
sheet.replaceSync("EXTRA_STYLE");
for (const { shadowRoot } of document.querySelectorAll("sales-chat")) {
  shadowRoot?.adoptedStyleSheets.push(sheet);
}

export const parts = { HostInterface, HttpLine, News, askWhy, copiedOldWay, greet, ownItems, resizable, table, tableAt, tellFirst, unfold };
