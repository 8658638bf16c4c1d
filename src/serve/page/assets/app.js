// What a page does beyond links and forms: it follows events, writes times as the browser does, and keeps its place.

import { watchTiles, connect } from "./wall.js";

const root = new URL(document.documentElement.dataset.root, location.href);
document.documentElement.classList.add("script");
const language = document.documentElement.lang;
const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

// Times ---------------------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const year = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium", hourCycle: "h23" });
const units = [[60, "second"], [60, "minute"], [48, "hour"], [Infinity, "day"]];

function lasting(ms) {
  let value = Math.max(0, Math.round(ms / 1000));
  for (const [size, unit] of units) {
    if (value < size) {
      return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: unit === "day" ? "long" : "short" }).format(value);
    }
    value = Math.floor(value / (unit === "hour" ? 24 : 60));
  }
  return "";
}

function shown(at, as) {
  const now = new Date();
  if (as === "age") return lasting(now - at);
  if (as === "clock") return seconds.format(at);
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  if (at.getFullYear() === now.getFullYear()) return `${date.format(at)}, ${clock.format(at)}`;
  return year.format(at);
}

export function writeTimes(from = document) {
  for (const time of all("time", from)) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = shown(at, time.dataset.as);
    if (time.textContent !== text) time.textContent = text;
    if (!time.title) time.title = full.format(at);
  }
}

// Parts of a page, replaced where they changed ------------------------------------------------------------------------

async function part(url) {
  const answer = await fetch(url, { headers: { "x-fragment": "list", accept: "text/html" }, credentials: "same-origin" });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  writeTimes(page);
  return page.body;
}

// What tells one element from its neighbours. A form's own `id` may be one of its fields, which its attribute never is.
const keyOf = (node) => node.getAttribute?.("id") || node.dataset?.id || node.dataset?.net || node.dataset?.group || node.dataset?.stream || "";

// Makes `old` what `wanted` is, and touches nothing that is the same: focus, scroll, what was typed and chosen stay.
export function become(old, wanted) {
  if (old.isEqualNode(wanted)) return;
  if (old.nodeType !== wanted.nodeType || old.nodeName !== wanted.nodeName || keyOf(old) !== keyOf(wanted)) {
    old.replaceWith(document.importNode(wanted, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
    return;
  }
  if (old.dataset.live === "on") return;
  for (const { name } of Array.from(old.attributes)) {
    if (!wanted.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of Array.from(wanted.attributes)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.nodeName === "INPUT" || old.nodeName === "TEXTAREA" || old.nodeName === "SELECT") return;
  const keyed = new Map();
  for (const child of Array.from(old.children)) if (keyOf(child)) keyed.set(keyOf(child), child);
  let place = old.firstChild;
  for (const next of Array.from(wanted.childNodes)) {
    const key = next.nodeType === Node.ELEMENT_NODE ? keyOf(next) : "";
    const own = key ? keyed.get(key) : place && !keyOf(place) ? place : null;
    if (!own) {
      old.insertBefore(document.importNode(next, true), place);
      continue;
    }
    if (own !== place) old.insertBefore(own, place);
    place = own.nextSibling;
    become(own, next);
    keyed.delete(key);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

// The live part of the page as it is now. Pages that were added at the end stay as they are.
async function renew() {
  const live = document.getElementById("live");
  if (!live) return;
  const fresh = await part(location.href);
  const wanted = live.cloneNode(false);
  wanted.append(...Array.from(fresh.childNodes));
  if (live.dataset.pages) keepFurther(live, wanted);
  become(live, wanted);
  picked();
}

// Devices of further pages were fetched one page at a time: each keeps its place behind those of the first.
function keepFurther(live, wanted) {
  const known = new Set(all("[data-id]", wanted).map((node) => node.dataset.id));
  const lists = all(".cards, tbody", live);
  const into = all(".cards, tbody", wanted);
  lists.forEach((list, n) => {
    for (const node of Array.from(list.children)) {
      if (node.dataset.page && !known.has(node.dataset.id)) into[Math.min(n, into.length - 1)]?.append(node.cloneNode(true));
    }
  });
  const more = all("[data-more]", live)[0];
  const less = all("[data-more]", wanted)[0];
  if (less && more) less.href = more.href;
  if (less && !more) less.closest("p").remove();
}

// One device: its cards alone are replaced.
async function renewDevice(id) {
  const cards = all(`[data-id="${CSS.escape(id)}"]`);
  if (cards.length === 0 || !document.querySelector("#devices")) return renew();
  const query = new URL(location.href);
  query.searchParams.delete("cursor");
  query.searchParams.set("id", id);
  const fresh = await part(query);
  const wanted = all(`[data-id="${CSS.escape(id)}"]`, fresh);
  cards.forEach((card, n) => (wanted[n] ? becomeKeeping(card, wanted[n]) : card.remove()));
  for (const name of [".chips", ".banner"]) {
    const [old, next] = [document.querySelector(`#live ${name}`), fresh.querySelector(name)];
    if (old && next) become(old, next);
    else if (old) old.remove();
    else if (next) document.querySelector("#live nav")?.after(document.importNode(next, true));
  }
  picked();
}

function becomeKeeping(card, wanted) {
  const page = card.dataset.page;
  if (page) wanted.dataset.page = page;
  become(card, wanted);
}

// Events --------------------------------------------------------------------------------------------------------------

const badge = document.getElementById("connection");
const waiting = new Set();
let everything = false;
let timer = 0;
let source = null;
let lastSeen = badge ? new Date(badge.dataset.asOf) : new Date();

function say(state) {
  if (!badge) return;
  badge.hidden = false;
  badge.dataset.state = state;
  const words = state === "live" ? badge.dataset.live : badge.dataset.lost.replace("{}", clock.format(lastSeen));
  if (badge.textContent !== words) badge.textContent = words;
}

function soon(delay = 150) {
  if (timer) return;
  timer = setTimeout(async () => {
    timer = 0;
    const [ids, whole] = [Array.from(waiting), everything || waiting.size > 4];
    waiting.clear();
    everything = false;
    try {
      if (whole) await renew();
      else for (const id of ids) await renewDevice(id);
      lastSeen = new Date();
    } catch {
      // The connection says so; what was missed is fetched when it is back.
      everything = true;
    }
  }, delay);
}

const isNew = (type) => /^(device\.(new|archived|replaced)|scan\.|subnet\.|stream\.(new|gone))/.test(type);

function happened(type, event) {
  lastSeen = new Date();
  if (event.device && !isNew(type)) waiting.add(event.device);
  else everything = true;
  soon();
}

function progress(scan) {
  const bar = document.querySelector(`[data-scan="${CSS.escape(String(scan.id))}"]`);
  if (!bar || !scan.progress) return scanChanged();
  if (scan.status && scan.status !== "running") return scanChanged();
  const meter = bar.querySelector("progress");
  if (meter) {
    meter.max = Math.max(1, scan.progress.addresses);
    meter.value = Math.min(scan.progress.asked, meter.max);
  }
  if (bar.dataset.found !== String(scan.progress.devices)) {
    bar.dataset.found = String(scan.progress.devices);
    everything = true;
    soon(400);
  }
  scanChanged(1500);
}

// The words about a scan come from the server, in its language.
let scanTimer = 0;
function scanChanged(delay = 100) {
  if (scanTimer || !document.getElementById("scan")) {
    if (!document.getElementById("scan")) { everything = true; soon(400); }
    return;
  }
  scanTimer = setTimeout(async () => {
    scanTimer = 0;
    try {
      const url = new URL(root);
      const answer = await fetch(url, { headers: { "x-fragment": "scan", accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      writeTimes(fresh);
      const [old, next] = [document.getElementById("scan"), fresh.getElementById("scan")];
      const ended = old?.querySelector("[data-scan]") && !next?.querySelector("[data-scan]");
      if (old && next) become(old, next);
      if (ended) { everything = true; soon(); }
    } catch { /* It is asked again with the next progress. */ }
  }, delay);
}

function follow() {
  if (!badge || source) return;
  source = new EventSource(new URL("api/v1/events/stream", root));
  source.onopen = () => {
    // What happened after the page was written and before somebody listened was told to nobody.
    if (badge.dataset.state !== "live") {
      everything = true;
      soon();
      if (document.querySelector("#scan [data-scan]")) scanChanged();
    }
    lastSeen = new Date();
    say("live");
  };
  source.onerror = () => {
    say("lost");
    if (source?.readyState === EventSource.CLOSED) {
      unfollow();
      setTimeout(follow, 5000);
    }
  };
  const read = (message) => {
    let event = {};
    try { event = JSON.parse(message.data); } catch { return; }
    const type = message.type === "message" ? event.type || "" : message.type;
    if (type === "scan.progress") progress(event);
    else if (type === "resync") { everything = true; soon(1000 + Math.random() * 2000); }
    else happened(event.type || type, event);
  };
  source.onmessage = read;
  for (const type of (document.body.dataset.events || "").split(" ").filter(Boolean)) source.addEventListener(type, read);
  for (const type of ["scan.progress", "device.asked", "check.done", "picture.new", "resync"]) source.addEventListener(type, read);
}

function unfollow() {
  source?.close();
  source = null;
}

// A browser has six connections for a place: a hidden page gives its own back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return unfollow();
  everything = true;
  soon();
  follow();
});

// Forms ---------------------------------------------------------------------------------------------------------------

function picked() {
  const output = document.getElementById("picked");
  if (!output) return;
  const count = new Set(all(".pick:checked").map((box) => box.value)).size;
  const words = output.dataset.text.replace("{}", count);
  if (output.textContent !== words) output.textContent = words;
}

document.addEventListener("change", (event) => {
  if (event.target.matches?.(".pick")) picked();
  const form = event.target.form;
  if (form?.matches("[data-auto]") && event.target.matches("select")) form.requestSubmit();
});

let typing = 0;
document.addEventListener("input", (event) => {
  if (!event.target.matches?.("[data-auto] input[type=search]")) return;
  clearTimeout(typing);
  const field = event.target;
  typing = setTimeout(async () => {
    const query = new URLSearchParams(new FormData(field.form));
    for (const [key, value] of Array.from(query)) if (value === "") query.delete(key);
    history.replaceState(null, "", `?${query}`);
    delete document.getElementById("live").dataset.pages;
    await renew().catch(() => field.form.requestSubmit());
  }, 250);
});

// A form without a value in its field does not fill the address with it.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [key, value] of Array.from(event.formData)) if (value === "") event.formData.delete(key);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  if (event.key === "/" && !event.target.closest("input, textarea, select")) {
    const search = document.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  }
});

document.addEventListener("click", (event) => {
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const start = event.target.closest?.("[data-connect]");
  if (start && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    connect(start.dataset.connect, root);
  }
});

// More of a long list -------------------------------------------------------------------------------------------------

let loading = false;

async function more(link) {
  if (loading) return;
  loading = true;
  try {
    const fresh = await part(link.href);
    const live = document.getElementById("live");
    live.dataset.pages = String(Number(live.dataset.pages || 1) + 1);
    const known = new Set(all("[data-id]", live).map((node) => node.dataset.id));
    for (const group of all(".group, .day", fresh)) {
      const from = group.querySelector(".cards, tbody, .timeline");
      const name = group.dataset.group;
      const same = all(".group, .day", live).filter((own) => (name === undefined ? own.querySelector("h2")?.textContent === group.querySelector("h2")?.textContent : own.dataset.group === name))[0];
      for (const node of Array.from(from.children)) {
        node.dataset.page = live.dataset.pages;
        if (known.has(node.dataset.id)) node.remove();
      }
      if (same) same.querySelector(".cards, tbody, .timeline").append(...Array.from(from.children));
      else all(".group, .day", live).pop().after(group);
    }
    const next = fresh.querySelector("[data-more]");
    if (next) link.href = next.href;
    else link.closest("p").remove();
  } finally {
    loading = false;
  }
}

const atEnd = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) more(target).catch(() => {});
}, { rootMargin: "600px" });

function watchEnd() {
  atEnd.disconnect();
  all("[data-more]").forEach((link) => atEnd.observe(link));
}

// -----------------------------------------------------------------------------------------------------------------------

writeTimes();
picked();
watchEnd();
new MutationObserver(watchEnd).observe(document.getElementById("live") || document.body, { childList: true, subtree: true });
setInterval(writeTimes, 30000);
watchTiles(root);
if (!document.hidden) follow();
