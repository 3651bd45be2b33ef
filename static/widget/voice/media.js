/**
 * Headphones and lock screens have buttons too; they are the page's own again once nothing is said.
 * @param {import("./speaker.js").Speaker} speaker
 * @param {string} title
 * @param {() => void} stop
 */
export function shareKeys(speaker, title, stop) {
  const { mediaSession: keys } = navigator;
  if (!keys) return;
  const { message, paused, at } = speaker;
  const acts = {
    play: () => speaker.resume(),
    pause: () => speaker.pause(),
    stop,
    nexttrack: () => speaker.seek(at + 1),
    previoustrack: () => speaker.seek(at - 1),
  };
  for (const [name, act] of Object.entries(acts)) {
    keys.setActionHandler(/** @type {MediaSessionAction} */ (name), message ? act : null);
  }
  keys.metadata = message ? new MediaMetadata({ title }) : null;
  keys.playbackState = message ? (paused ? "paused" : "playing") : "none";
}
