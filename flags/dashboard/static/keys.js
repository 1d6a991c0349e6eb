"use strict";
// Keys: "/" goes to the search field; j and k, or the arrows within a list, go from row to row.

function rows() { return [...document.querySelectorAll("[data-row] .row-link")]; }

function step(by) {
  const all = rows();
  const now = all.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  const next = all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1)];
  next?.focus();
  next?.closest("[data-row]").scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const typing = event.target.matches("input, select, textarea, [contenteditable]");
  if (event.key === "Escape") {
    const open = event.target.closest("details[open].menu");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
    else if (event.target.matches("[data-search]")) event.target.blur();
    return;
  }
  if (event.target.matches("[data-search]") && event.key === "ArrowDown") { event.preventDefault(); step(1); return; }
  if (typing) return;
  const inList = event.target.closest("[data-row]");
  const keys = { j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1 } : {}) };
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  } else if (event.key in keys && rows().length) {
    event.preventDefault();
    step(keys[event.key]);
  }
});

// A menu closes when something else is chosen.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[open].menu")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
