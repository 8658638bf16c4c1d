// Tiles that show cameras live: only those that are seen play, at most sixteen at once.

import { Player } from "./live.js";

const MOST = 16;
const GONE_AFTER = 30000;
const players = new Map();

function words(tile) {
  return { why: tile.querySelector(".why"), stats: tile.querySelector(".stats"), screen: tile.querySelector(".screen") };
}

function play(tile, root) {
  if (players.has(tile) || players.size >= MOST) return;
  const { why, stats, screen } = words(tile);
  const still = screen.querySelector("[data-still]");
  const player = new Player({
    root,
    stream: tile.dataset.stream,
    screen,
    language: document.documentElement.lang,
    onState: (state, reason) => {
      tile.dataset.state = state;
      why.textContent = reason ?? "";
      if (still) still.hidden = state === "playing";
    },
    onStats: (text) => { stats.textContent = text; },
  });
  players.set(tile, player);
  tile.dataset.live = "on";
  for (const button of tile.querySelectorAll("[data-do]")) button.hidden = false;
  player.start();
}

function stop(tile) {
  players.get(tile)?.stop();
  players.delete(tile);
  delete tile.dataset.live;
}

function press(button, tile) {
  const player = players.get(tile);
  const set = (is) => button.setAttribute("aria-pressed", String(is));
  if (button.dataset.do === "sound") set(player?.sound(button.getAttribute("aria-pressed") !== "true") ?? false);
  if (button.dataset.do === "stats") {
    const stats = tile.querySelector(".stats");
    stats.hidden = !stats.hidden;
    player?.watchStats(!stats.hidden);
    set(!stats.hidden);
  }
  if (button.dataset.do === "full") {
    if (document.fullscreenElement) document.exitFullscreen();
    else tile.requestFullscreen?.().catch(() => {});
  }
}

// Plays every tile of the page while it is seen.
export function watchTiles(root) {
  const tiles = Array.from(document.querySelectorAll("[data-wall] .tile"));
  if (tiles.length === 0) return;
  const seen = new IntersectionObserver((changes) => {
    // What goes leaves its place to what comes.
    for (const { isIntersecting, target } of changes) if (!isIntersecting) stop(target);
    for (const { isIntersecting, target } of changes) if (isIntersecting && !document.hidden) play(target, root);
  }, { threshold: 0.2 });
  tiles.forEach((tile) => seen.observe(tile));
  let gone = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(gone);
    if (document.hidden) gone = setTimeout(() => tiles.forEach(stop), GONE_AFTER);
    else tiles.forEach((tile) => { seen.unobserve(tile); seen.observe(tile); });
  });
  addEventListener("pagehide", () => tiles.forEach(stop));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".tile [data-do]");
  if (button) press(button, button.closest(".tile"));
});

// Shows a stream in the place of its picture, with sound where it has any: somebody asked for it.
export function connect(stream, root) {
  const place = document.querySelector(`[data-live-at="${CSS.escape(stream)}"]`);
  const start = document.querySelector(`[data-connect="${CSS.escape(stream)}"]`);
  if (!place) return;
  const tile = document.createElement("div");
  tile.className = "tile";
  tile.dataset.stream = stream;
  tile.innerHTML = "<div class=\"screen\"><p class=\"why\" role=\"status\"></p><p class=\"stats\" hidden></p></div><div class=\"bar\"></div>";
  const still = place.querySelector("img")?.cloneNode();
  if (still) { still.dataset.still = ""; tile.querySelector(".screen").prepend(still); }
  const bar = tile.querySelector(".bar");
  const names = document.querySelector("[data-controls]");
  if (names) bar.append(...Array.from(names.content.cloneNode(true).childNodes));
  place.replaceChildren(tile);
  place.dataset.live = "on";
  start?.remove();
  play(tile, root);
  const heard = players.get(tile)?.sound(true) ?? false;
  // One press switches off what is on.
  tile.querySelector("[data-do=sound]")?.setAttribute("aria-pressed", String(heard));
  addEventListener("pagehide", () => stop(tile));
}
