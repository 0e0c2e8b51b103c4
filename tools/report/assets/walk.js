// Walks: a slider over the recorded images, with a mark on the curves.
const svgElement = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

function setUpWalk(article) {
  const walk = data.walks[Number(article.dataset.walk)];
  const [left, top, width, height, last] = walk.plot;
  const slider = article.querySelector("input[type=range]");
  const image = article.querySelector("[data-now]");
  const missing = article.querySelector(".missing");
  const caption = article.querySelector("[data-caption]");
  const buttons = [...article.querySelectorAll("button[data-stop]")];
  const svg = article.querySelector(".curve svg");

  const across = (iteration) => left + (width * iteration) / last;
  const up = (value) => top + height * (1 - value);
  const line = svgElement("line", { y1: top, y2: top + height, class: "s-text cursor" });
  const marks = [
    svgElement("circle", { r: 5, class: "f-source s-paper cursor" }),
    svgElement("circle", { r: 5, class: "f-target s-paper cursor" }),
  ];
  svg.append(line, ...marks);

  function show(number) {
    const stop = walk.stops[number];
    const address = data.pictures[stop.picture];
    image.hidden = !address;
    missing.hidden = Boolean(address);
    if (address) image.src = address;
    const what = stop.label === "source" ? "source" : stop.label === "final" ? `final, step ${stop.iteration}` : stop.label;
    image.alt = `Image of the walk, ${what}`;
    const confidence = document.createElement("span");
    confidence.className = "source-value";
    confidence.textContent = `${walk.source} ${shown(stop.p, 4)}`;
    const other = document.createElement("span");
    other.className = "target-value";
    other.textContent = `${walk.target} ${shown(stop.q, 4)}`;
    caption.replaceChildren(what, confidence, other);
    slider.setAttribute("aria-valuetext", `${what}: ${walk.source} ${shown(stop.p, 4)}, ${walk.target} ${shown(stop.q, 4)}`);
    line.setAttribute("x1", across(stop.iteration));
    line.setAttribute("x2", across(stop.iteration));
    [stop.p, stop.q].forEach((value, i) => {
      marks[i].setAttribute("visibility", value === null ? "hidden" : "visible");
      marks[i].setAttribute("cx", across(stop.iteration));
      marks[i].setAttribute("cy", value === null ? top : up(value));
    });
    for (const button of buttons) button.setAttribute("aria-pressed", String(Number(button.dataset.stop) === number));
  }

  const go = (number) => {
    slider.value = String(number);
    show(number);
  };
  slider.addEventListener("input", () => show(Number(slider.value)));
  for (const button of buttons) button.addEventListener("click", () => go(Number(button.dataset.stop)));

  function goToPointer(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const iteration = ((x - left) / width) * last;
    let best = 0;
    walk.stops.forEach((stop, i) => {
      if (Math.abs(stop.iteration - iteration) <= Math.abs(walk.stops[best].iteration - iteration)) best = i;
    });
    go(best);
  }
  svg.addEventListener("pointerdown", goToPointer);
  svg.addEventListener("pointermove", (event) => {
    if (event.buttons) goToPointer(event);
  });
  show(Number(slider.value));
}

const waitingWalks = new Set(document.querySelectorAll(".walk"));
function setUpOnce(article) {
  if (waitingWalks.delete(article)) setUpWalk(article);
}

// A walk that nobody has scrolled to yet need not be set up.
const walkObserver = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) setUpOnce(entry.target);
  },
  { rootMargin: "800px" },
);
for (const article of waitingWalks) walkObserver.observe(article);
window.addEventListener("beforeprint", () => [...waitingWalks].forEach(setUpOnce));
