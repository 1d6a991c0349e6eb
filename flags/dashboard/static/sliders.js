"use strict";
// Percentages of variations always sum to 100: moving one scales the others.

// Thousandths of a percent. Others that are all 0 give to, or take from, the one before.
function balanced(weights, at, wanted) {
  const total = weights.reduce((a, b) => a + b, 0);
  const target = Math.min(Math.max(wanted, 0), total);
  if (weights.length === 1) return [total];
  const rest = total - target;
  const old = total - weights[at];
  const result = weights.map((_, i) => (i === at ? target : 0));
  if (old === 0) {
    result[at ? at - 1 : 1] = rest;
    return result;
  }
  const others = weights.map((_, i) => i).filter((i) => i !== at);
  for (const i of others) result[i] = Math.floor((weights[i] * rest) / old);
  const left = rest - others.reduce((sum, i) => sum + result[i], 0);
  const remainder = (i) => (weights[i] * rest) % old;
  others.sort((a, b) => remainder(b) - remainder(a) || a - b);
  for (const i of others.slice(0, left)) result[i] += 1;
  return result;
}
globalThis.balanced = balanced;

function slide(box) {
  const numbers = [...box.querySelectorAll("input[type=number]")];
  const ranges = [...box.querySelectorAll("input[type=range]")];
  const output = box.querySelector(".sum output");
  const bar = box.querySelector(".bar");
  let weights = numbers.map(weight);

  function weight(field) { return Math.round(Number(field.value) * 1000) || 0; }
  function show() {
    const now = numbers.map(weight);
    const total = now.reduce((a, b) => a + b, 0);
    output.textContent = total / 1000;
    output.parentElement.classList.toggle("wrong", total !== 100000);
    ranges.forEach((field, i) => { field.style.setProperty("--fill", `${now[i] / 1000}%`); });
    let x = 0;
    bar.replaceChildren(...now.map((w, i) => {
      const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      part.setAttribute("class", "v" + numbers[i].dataset.tone);
      part.setAttribute("x", x / 1000);
      part.setAttribute("width", w / 1000);
      part.setAttribute("height", 1);
      x += w;
      return part;
    }));
  }
  function apply(at, wanted) {
    const whole = weights.reduce((a, b) => a + b, 0) === 100000;
    weights = whole ? balanced(weights, at, wanted) : numbers.map(weight);
    numbers.forEach((field, i) => { field.value = weights[i] / 1000; });
    ranges.forEach((field, i) => { if (i !== at || field !== document.activeElement) field.value = weights[i] / 1000; });
    show();
  }
  ranges.forEach((field, at) => {
    // Small steps are added up from where the move began, so that it can be taken back.
    let begin = weights;
    field.addEventListener("pointerdown", () => { begin = weights; });
    field.addEventListener("focus", () => { begin = weights; });
    field.addEventListener("input", () => { weights = begin; apply(at, Math.round(Number(field.value) * 1000)); });
    field.addEventListener("change", () => { begin = weights; });
  });
  numbers.forEach((field, at) => {
    field.addEventListener("input", show);
    field.addEventListener("change", () => apply(at, weight(field)));
  });
  show();
}

for (const box of document.querySelectorAll("[data-sliders]")) slide(box);
document.addEventListener("replaced", (event) => {
  for (const box of event.detail.querySelectorAll("[data-sliders]")) slide(box);
});
