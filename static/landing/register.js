// Once the page is there and at rest: it needs nothing of this itself.
addEventListener("load", () => {
  const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 1000));
  // The page's policy wants an address that became a script by a policy of this name.
  const worker = { createScriptURL: () => "/worker.js" };
  const address = (window.trustedTypes?.createPolicy("worker", worker) ?? worker).createScriptURL("");
  idle(() => navigator.serviceWorker?.register(address).catch(() => {})); // private windows refuse
});
