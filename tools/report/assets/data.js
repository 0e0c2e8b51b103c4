// The page's data, and pictures that are shown when they come into view. Nothing outside this file is ever asked for.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

/** "0.966", or a dash where there is no number. */
const shown = (value, decimals = 3) => (value === null || value === undefined ? "–" : value.toFixed(decimals));

function fillPicture(image) {
  const address = data.pictures[Number(image.dataset.picture)];
  if (address && !image.src) image.src = address;
}

const waiting = document.querySelectorAll("img[data-picture]");
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      fillPicture(entry.target);
      observer.unobserve(entry.target);
    }
  },
  { rootMargin: "400px" },
);
for (const image of waiting) observer.observe(image);
window.addEventListener("beforeprint", () => waiting.forEach(fillPicture));
