// Triangles: the pointer, or the keyboard, mixes the three corner images and reads the confidence off the grid.
const snapDistance = 7; // CSS pixels within which a computed point is taken for the one that is meant

/** Pixels of a picture, drawn once it is loaded. */
async function pixelsOf(address, width, height) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Confidence at (t1, t2): linear between the three grid points around it; null where one of them is missing. */
function interpolated(triangle, t1, t2) {
  const k = triangle.divisions;
  const value = (i, j) => (triangle.values[i] === undefined ? undefined : triangle.values[i][j]);
  const x = Math.min(Math.max(t1 * k, 0), k);
  const y = Math.min(Math.max(t2 * k, 0), k);
  const i = Math.min(Math.floor(x + 1e-9), k);
  const j = Math.min(Math.floor(y + 1e-9), k);
  const u = Math.max(0, x - i);
  const v = Math.max(0, y - j);
  const nodes =
    u + v <= 1 + 1e-9
      ? [[i, j, 1 - u - v], [i + 1, j, u], [i, j + 1, v]]
      : [[i + 1, j + 1, u + v - 1], [i + 1, j, 1 - v], [i, j + 1, 1 - u]];
  let sum = 0;
  for (const [a, b, weight] of nodes) {
    if (weight < 1e-9) continue;
    const node = value(a, b);
    if (node === null || node === undefined) return null;
    sum += weight * node;
  }
  return sum;
}

function setUpTriangle(article) {
  const triangle = data.triangles[Number(article.dataset.triangle)];
  const k = triangle.divisions;
  const map = article.querySelector(".map");
  const svg = map.querySelector("svg");
  const canvas = article.querySelector(".mix canvas");
  const caption = article.querySelector(".mix figcaption");
  const context = canvas.getContext("2d");
  const [source, first, second] = triangle.corners;
  const mark = svgElement("circle", { r: 6, class: "handle" });
  svg.append(mark);
  let place = { t1: 0, t2: 0 };
  let pixels = null;

  const computed = (t1, t2) => {
    const [i, j] = [Math.round(t1 * k), Math.round(t2 * k)];
    const near = Math.abs(i / k - t1) < 1e-9 && Math.abs(j / k - t2) < 1e-9;
    return near && i + j <= k && triangle.values[i][j] !== null && triangle.values[i][j] !== undefined;
  };

  function mix() {
    if (!pixels) return;
    const { t1, t2 } = place;
    const t0 = 1 - t1 - t2;
    const result = context.createImageData(canvas.width, canvas.height);
    const [a, b, c] = pixels;
    for (let i = 0; i < result.data.length; i += 1) result.data[i] = Math.round(t0 * a[i] + t1 * b[i] + t2 * c[i]);
    context.putImageData(result, 0, 0);
  }

  function show() {
    const { t1, t2 } = place;
    const t0 = Math.max(0, 1 - t1 - t2);
    mark.setAttribute("cx", t0 * source[0] + t1 * first[0] + t2 * second[0]);
    mark.setAttribute("cy", t0 * source[1] + t1 * first[1] + t2 * second[1]);
    const exact = computed(t1, t2);
    const value = exact ? triangle.values[Math.round(t1 * k)][Math.round(t2 * k)] : interpolated(triangle, t1, t2);
    const confidence = document.createElement("strong");
    confidence.textContent = shown(value, 4);
    const kind = document.createElement("span");
    kind.className = exact ? "kind-computed" : "kind-interpolated";
    kind.textContent = value === null ? "not computed" : exact ? "computed" : "interpolated";
    const shares = document.createElement("small");
    const percent = (share) => `${Math.round(100 * share)} %`;
    shares.textContent = `${percent(t0)} source, ${percent(t1)} lower right, ${percent(t2)} top`;
    caption.replaceChildren(`${triangle.label} `, confidence, " ", kind, document.createElement("br"), shares);
    canvas.setAttribute("aria-label", `Mix of ${shares.textContent}`);
    mix();
  }

  function go(t1, t2) {
    let [a, b] = [Math.max(0, t1), Math.max(0, t2)];
    if (a + b > 1) {
      // Onto the nearest point of the far edge.
      const excess = (a + b - 1) / 2;
      [a, b] = [a - excess, b - excess];
      if (a < 0) [a, b] = [0, 1];
      if (b < 0) [a, b] = [1, 0];
    }
    place = { t1: a, t2: b };
    show();
  }

  function goToPointer(event) {
    const box = svg.getBoundingClientRect();
    const scale = triangle.size[0] / box.width;
    const x = (event.clientX - box.left) * scale - source[0];
    const y = (event.clientY - box.top) * scale - source[1];
    const [ax, ay, bx, by] = [first[0] - source[0], first[1] - source[1], second[0] - source[0], second[1] - source[1]];
    const area = ax * by - ay * bx;
    let [t1, t2] = [(x * by - y * bx) / area, (ax * y - ay * x) / area];
    const [i, j] = [Math.round(t1 * k), Math.round(t2 * k)];
    const [dx, dy] = [(i / k - t1) * ax + (j / k - t2) * bx, (i / k - t1) * ay + (j / k - t2) * by];
    if (i >= 0 && j >= 0 && i + j <= k && Math.hypot(dx, dy) < snapDistance * scale) [t1, t2] = [i / k, j / k];
    go(t1, t2);
  }

  map.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" && !event.target.closest("path, circle")) return;
    map.setPointerCapture(event.pointerId);
    goToPointer(event);
  });
  map.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) goToPointer(event);
  });

  map.addEventListener("keydown", (event) => {
    const corners = { Home: [0, 0], End: [1, 0], PageUp: [0, 1] };
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (corners[event.key]) {
      go(...corners[event.key]);
    } else if (steps[event.key]) {
      const [dx, dy] = steps[event.key];
      if (event.shiftKey) {
        go(place.t1 + dx / (10 * k), place.t2 + dy / (10 * k));
      } else {
        const [i, j] = [Math.round(place.t1 * k) + dx, Math.round(place.t2 * k) + dy];
        if (i >= 0 && j >= 0 && i + j <= k) go(i / k, j / k);
      }
    } else {
      return;
    }
    event.preventDefault();
  });

  show();
  Promise.all(triangle.pictures.map((number) => pixelsOf(data.pictures[number], canvas.width, canvas.height))).then((all) => {
    pixels = all;
    mix();
  });
}
document.querySelectorAll(".triangle").forEach(setUpTriangle);
