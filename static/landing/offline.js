// The page that could not be reached is asked for again: at once when the line is back, and by
// and by in case that the line was there and the server was not.
const PAUSES = [2, 4, 8, 15, 30]; // seconds

const again = () => location.reload();

const look = async (attempt = 0) => {
  try {
    const { ok } = await fetch("/worker.js", { method: "HEAD", cache: "no-store" });
    if (ok) return again();
  } catch {
    // still away
  }
  const pause = PAUSES[Math.min(attempt, PAUSES.length - 1)];
  setTimeout(() => look(attempt + 1), pause * 1000);
};

addEventListener("online", again);
if (location.pathname !== "/offline") setTimeout(look, PAUSES[0] * 1000);
