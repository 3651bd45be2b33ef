/**
 * What the server has of voices, for this visitor; throws where it answers that it cannot.
 * @param {Pick<import("../own.js").Chat, "conversation">} chat
 * @param {string} path below /api/voice/
 * @param {RequestInit} options
 */
export async function ask({ conversation: { session } }, path, options) {
  const response = await fetch(`${session.server}/api/voice/${path}`, {
    ...options,
    headers: { Authorization: `Bearer ${session.token}` },
    credentials: "omit",
  });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}
