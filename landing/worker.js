// Shows the offline page where a page of ours cannot be reached. It keeps that page and what
// it is drawn with, and nothing else: every answer to a visitor comes from the server.
const NAME = "offline-" + "VERSION";
const [OFFLINE, ...FILES] = "OFFLINE_FILES";
const PAGES = /^\/(chat\/[^/]+|offline)?$/; // never the admin, the API, a socket

const keep = async () => {
  const cache = await caches.open(NAME);
  await cache.addAll([OFFLINE, ...FILES].map((file) => new Request(file, { cache: "reload" })));
  await skipWaiting(); // it holds no state that a page of the old one could miss
};

const takeOver = async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith("offline-") && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await registration.navigationPreload?.enable(); // a page does not wait for this worker to wake
};

const page = async ({ request, preloadResponse }) => {
  try {
    return (await preloadResponse) ?? (await fetch(request));
  } catch {
    return (await caches.match(OFFLINE)) ?? Response.error();
  }
};

const file = async (request) => {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
};

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(takeOver()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (PAGES.test(pathname)) event.respondWith(page(event));
  } else if (FILES.includes(pathname)) {
    event.respondWith(file(request));
  }
});
