// Buttons that play: a sample of the voice in a form, or a message as the visitor heard it.
const player = new Audio();
let playing = null;

function stop() {
  player.pause();
  if (playing) playing.removeAttribute("aria-pressed");
  playing = null;
}

async function sound(button, n) {
  const body = new FormData();
  const form = button.closest("form");
  for (const name of ["voice", "voice_model", "voice_language", "voice_speed"]) {
    const field = form?.elements[name];
    body.set(name, field ? field.value : (button.dataset[name] ?? ""));
  }
  body.set("n", String(n));
  body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  const answer = await fetch(button.dataset.listen, { method: "POST", body });
  if (answer.ok && answer.headers.get("Content-Type").startsWith("audio/")) return answer.blob();
  if (answer.status === 404 && n > 0) return null;
  throw new Error(answer.headers.get("Content-Type").startsWith("text/plain") ? await answer.text() : "");
}

async function play(button, n) {
  const blob = await sound(button, n);
  if (playing !== button || !blob) return stop();
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(blob);
  player.onended = () => (button.dataset.parts ? run(button, n + 1) : stop());
  await player.play();
}

async function run(button, n) {
  const line = button.parentElement.querySelector("[data-listen-error]");
  if (line) line.textContent = "";
  try {
    await play(button, n);
  } catch (error) {
    stop();
    if (line) line.textContent = error.message || button.dataset.failed;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-listen]");
  if (!button) return;
  event.preventDefault();
  const again = playing === button;
  stop();
  if (again) return;
  playing = button;
  button.setAttribute("aria-pressed", "true");
  run(button, 0);
});
