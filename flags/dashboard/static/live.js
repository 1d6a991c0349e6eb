"use strict";
// Widths come from data attributes, since the content security policy allows no inline styles.
function draw(root) {
  for (const part of root.querySelectorAll("[data-share]")) part.style.flexGrow = part.dataset.share;
  for (const form of root.querySelectorAll("form.shares")) {
    const numbers = [...form.querySelectorAll("input[type=number]")];
    const sum = () => {
      const total = numbers.reduce((all, n) => all + Math.round(Number(n.value) * 1000), 0) / 1000;
      form.querySelector("output").textContent = total;
      form.querySelector(".sum").classList.toggle("wrong", total !== 100);
    };
    for (const number of numbers) {
      const range = number.parentElement.querySelector("input[type=range]");
      range.addEventListener("input", () => { number.value = range.value; sum(); });
      number.addEventListener("input", () => { range.value = number.value; sum(); });
    }
  }
}

// A changed flag is fetched anew and replaced, unless somebody is typing in it.
async function refresh(key) {
  const old = document.getElementById("flag-" + key);
  if (!old || old.querySelector("form.dirty")) return;
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const fresh = page.getElementById("flag-" + key);
  if (!fresh) return location.reload();
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  old.replaceWith(fresh);
  draw(fresh);
  if (focused) fresh.querySelector("button")?.focus();
  const count = page.querySelector(".sdks");
  if (count) document.querySelector(".sdks").textContent = count.textContent;
}

draw(document);
document.addEventListener("input", (event) => event.target.form?.classList.add("dirty"));
if (document.querySelector("[data-flag]")) {
  new EventSource("/changes").onmessage = (event) => refresh(JSON.parse(event.data));
}
