/**
 * What few visitors need; all of it comes with the first. Where it cannot be had, as without a line,
 * nothing happens: what asked for it can be asked again.
 */
export function extras() {
  return import("./extras.js").then(
    ({ parts }) => parts,
    () => /** @type {Promise<typeof import("./extras.js").parts>} */ (new Promise(() => {})),
  );
}
