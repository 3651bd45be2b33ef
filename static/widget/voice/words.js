/** @typedef {typeof import("./words/en.js").words} Words */

// Whole addresses: the server puts the hashed names in their place.
/** @type {Record<string, () => Promise<{words: Words}>>} */
const tables = {
  ar: () => import("./words/ar.js"),
  de: () => import("./words/de.js"),
  en: () => import("./words/en.js"),
  es: () => import("./words/es.js"),
  fr: () => import("./words/fr.js"),
  he: () => import("./words/he.js"),
  hi: () => import("./words/hi.js"),
  it: () => import("./words/it.js"),
  ja: () => import("./words/ja.js"),
  ko: () => import("./words/ko.js"),
  nl: () => import("./words/nl.js"),
  pl: () => import("./words/pl.js"),
  pt: () => import("./words/pt.js"),
  tr: () => import("./words/tr.js"),
  zh: () => import("./words/zh.js"),
};

/**
 * The words of speaking and listening; in English where the file does not load.
 * @param {string} lang one that the interface speaks
 * @returns {Promise<Words>}
 */
export async function spokenOf(lang) {
  const { words } = await tables[lang]().catch(() => tables.en());
  return words;
}
