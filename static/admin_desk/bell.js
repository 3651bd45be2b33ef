// Tells of somebody who waits for a person, or answers me, on whatever page of the desk I am: a
// line in the corner, and by choice a sound and a notification of the browser.
(() => {
  const SHOWN = 20_000; // milliseconds
  const { deskLine: line } = /** @type {any} */ (window);
  let wants = { notify: false, sound: false };

  /** @param {string} id */
  const page = (id) => `/admin/chat/conversation/${id}/change/`;

  /** @param {string} tag @param {object} fields @param {...(Node | string)} children */
  const make = (tag, fields, ...children) => {
    const element = Object.assign(document.createElement(tag), fields);
    element.append(...children);
    return element;
  };

  /** Two soft notes; browsers allow them once somebody has clicked on the page. */
  function ring() {
    const audio = new AudioContext();
    [660, 880].forEach((pitch, n) => {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.08, audio.currentTime + n * 0.15);
      volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + n * 0.15 + 0.3);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + n * 0.15);
      tone.stop(audio.currentTime + n * 0.15 + 0.3);
    });
    setTimeout(() => audio.close(), 1000);
  }

  /** @param {string} text @param {string} id */
  function notify(text, id) {
    if (!wants.notify || !("Notification" in window) || Notification.permission !== "granted") return;
    const shown = new Notification(text, { tag: id });
    shown.onclick = () => {
      window.focus();
      location.assign(page(id));
    };
  }

  /** @param {string} text @param {string} id */
  function show(text, id) {
    const box = document.querySelector(".desk-bell") ?? make("div", { className: "desk-bell" });
    if (!box.isConnected) {
      box.setAttribute("role", "status");
      document.body.append(box);
    }
    const known = document.getElementById(`bell-${id}`);
    known?.remove();
    const item = make("p", { id: `bell-${id}` });
    item.append(make("a", { href: page(id), className: "desk-link" }, text));
    if (wants.notify && "Notification" in window && Notification.permission === "default") {
      const words = line.words.allow;
      const ask = () => Notification.requestPermission().then(() => allow.remove());
      const allow = make("button", { type: "button", className: "desk-button", onclick: ask }, words);
      item.append(allow);
    }
    box.append(item);
    setTimeout(() => item.remove(), SHOWN);
  }

  line.addEventListener("frame", (/** @type {any} */ { detail: frame }) => {
    if (frame.type === "ready") wants = frame;
    if (frame.type !== "news") return;
    const { kind, conversation: id, site } = frame;
    if (kind === "settled") {
      document.getElementById(`bell-${id}`)?.remove();
      return;
    }
    const open = !document.hidden && location.pathname === page(id);
    if (open) return; // it is seen there
    const text = (line.words[kind] ?? "").replace("{site}", site);
    show(text, id);
    notify(text, id);
    if (wants.sound) ring();
  });
})();
