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

/** The buttons of a site that speaks or listens. @param {import("./own.js").Chat} chat */
export function voiced(chat) {
  const { input, output } = chat.conversation.voice;
  if (/server|browser/.test(input + output)) import("./voice/buttons.js").then(({ offer }) => offer(chat), () => {});
}
