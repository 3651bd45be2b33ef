/** @typedef {typeof import("./rights/en.js").words} Words */

// Whole addresses: the server puts the hashed names in their place.
/** @type {Record<string, () => Promise<{words: Words}>>} */
const tables = {
  ar: () => import("./rights/ar.js"),
  de: () => import("./rights/de.js"),
  en: () => import("./rights/en.js"),
  es: () => import("./rights/es.js"),
  fr: () => import("./rights/fr.js"),
  he: () => import("./rights/he.js"),
  hi: () => import("./rights/hi.js"),
  it: () => import("./rights/it.js"),
  ja: () => import("./rights/ja.js"),
  ko: () => import("./rights/ko.js"),
  nl: () => import("./rights/nl.js"),
  pl: () => import("./rights/pl.js"),
  pt: () => import("./rights/pt.js"),
  tr: () => import("./rights/tr.js"),
  zh: () => import("./rights/zh.js"),
};

/**
 * The words of a visitor's rights; in English where the file does not load.
 * @param {string} lang one that the interface speaks
 * @returns {Promise<Words>}
 */
export async function spokenOf(lang) {
  const { words } = await tables[lang]().catch(() => tables.en());
  return words;
}
