"use strict";
// Pages follow what others change. The server tells what changed; the page is fetched anew, and its
// parts marked `data-live` are replaced, except where somebody types.

document.documentElement.classList.add("js");
const page = document.body.dataset;
const TYPED = "input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea";

function concerns(change) {
  if (change.project !== page.project) return false;
  if (change.environment && change.environment !== page.environment) return false;
  return !(page.kind === "flag" && change.kind === "flag" && change.key !== page.key);
}

function isBusy(part) {
  const active = document.activeElement;
  return Boolean(part.querySelector("form.dirty, form[data-typed]")) ||
    (part.contains(active) && active.matches(TYPED));
}

// What was open stays open, what had the focus keeps it, and rows that changed light up.
function replace(part, fresh) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  for (const opened of part.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector("#" + CSS.escape(opened.id));
    if (same) same.open = true;
  }
  for (const row of fresh.querySelectorAll("[data-key]")) {
    const old = document.getElementById(row.id);
    if (!old || old.querySelector("[role=switch]")?.outerHTML !== row.querySelector("[role=switch]")?.outerHTML ||
        old.querySelector(".serves")?.textContent !== row.querySelector(".serves")?.textContent) row.classList.add("changed");
  }
  part.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent("replaced", { detail: fresh }));
}

let running = null;
let again = false;
async function refresh() {
  if (running) { again = true; return; }
  // The first change is shown at once; of many in a row, some are shown together.
  running = fetchAndReplace().catch(() => {}).then(() => new Promise((done) => setTimeout(done, 200)));
  await running;
  running = null;
  if (again) { again = false; refresh(); }
}

async function fetchAndReplace() {
  const answer = await fetch(page.self, { redirect: "error" });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  let kept = false;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = next.getElementById(part.id);
    if (fresh && fresh.outerHTML === part.dataset.was) continue;
    if (isBusy(part)) { kept = kept || part.dataset.was !== undefined || Boolean(fresh); continue; }
    if (!fresh) { part.remove(); continue; }
    const was = fresh.outerHTML;
    const copy = document.importNode(fresh, true);
    replace(part, copy);
    copy.dataset.was = was;
  }
  document.getElementById("stale").hidden = !kept;
}

let stream = null;
function follow() {
  if (document.hidden) {
    stream?.close();
    stream = null;
  } else if (!stream) {
    const missed = stream === null && follow.before;
    follow.before = true;
    stream = new EventSource("/changes");
    stream.onmessage = (event) => { if (concerns(JSON.parse(event.data))) refresh(); };
    // After a gap nobody knows what was missed.
    stream.onopen = () => { if (stream.gap || missed) refresh(); stream.gap = false; document.documentElement.dataset.following = "yes"; };
    stream.onerror = () => { stream.gap = true; };
  }
}

document.addEventListener("input", (event) => event.target.form?.classList.add("dirty"));
for (const part of document.querySelectorAll("[data-live]")) part.dataset.was = part.outerHTML;
if (page.self && document.querySelector("[data-live]")) {
  follow();
  document.addEventListener("visibilitychange", follow);
  if (page.refresh) setInterval(() => { if (!document.hidden) refresh(); }, Number(page.refresh) * 1000);
}
document.querySelector("#stale a")?.setAttribute("href", page.self ?? "");
document.getElementById("problem")?.scrollIntoView({ block: "center" });
document.querySelector("[data-select]")?.select();

// A sign-in link may carry its token behind "#": what stands there is never sent or logged.
function signIn() {
  const login = document.getElementById("login");
  if (!login || !location.hash.startsWith("#token=")) return;
  login.elements.token.value = decodeURIComponent(location.hash.slice(7));
  history.replaceState(null, "", location.pathname);
  login.requestSubmit();
}
signIn();
window.addEventListener("hashchange", signIn); // the link, opened where the page is open already
