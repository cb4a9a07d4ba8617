/*
 * Opens the app without a connection. Pages come from the server first, so that a new
 * release is seen at once; files with a hash in their name never change. Nothing of the
 * API passes through here.
 */
const CACHE = "metacortex-shell";
const SHELL = "/";
const FILES = "__FILES__"; // of this release; the build fills them in
const KEPT = 2 * FILES.length; // two releases: open pages may still want the last one's

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
  self.skipWaiting();
});

async function keep() {
  const cache = await caches.open(CACHE);
  const known = await Promise.all(FILES.map((file) => cache.match(file)));
  await cache.addAll([SHELL, ...FILES.filter((_, index) => !known[index])]);
}

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && isRoom(url.pathname))
    event.respondWith(page(request));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(asset(request));
});

/** Other pages of the server, such as its reference, are its own. */
function isRoom(path) {
  return !/^\/(api|dev|docs|health|metrics|webhooks)(\/|$)/.test(path);
}

async function page(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(SHELL, answer.clone());
    if (answer.status < 500) return answer;
  } catch {
    // No connection: the page of the last visit follows.
  }
  return (await cache.match(SHELL)) ?? Response.error();
}

async function asset(request) {
  const cache = await caches.open(CACHE);
  const known = await cache.match(request);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) {
    await cache.put(request, answer.clone());
    await trim(cache);
  }
  return answer;
}

async function trim(cache) {
  const keys = await cache.keys();
  const assets = keys.filter((it) => new URL(it.url).pathname !== SHELL);
  await Promise.all(assets.slice(0, -KEPT).map((it) => cache.delete(it)));
}
