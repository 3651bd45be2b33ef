// Once the page is there and at rest: it needs nothing of this itself.
addEventListener("load", () => {
  const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 1000));
  idle(() => navigator.serviceWorker?.register("/worker.js").catch(() => {})); // private windows refuse
});
