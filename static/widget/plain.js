/** Words without their marks: `**Hello** [there](https://…)` is "Hello there". @param {string} text */
export function plain(text) {
  return text.replace(/[*`#]+|\]\([^)]*\)|\[/g, "");
}
