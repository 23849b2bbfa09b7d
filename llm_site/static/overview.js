// The overview's curve, the state in the header, and the word when the stream is lost. htmx swaps everything else.
const HISTORY_S = 15 * 60;
const LOST_AFTER_MS = 3000; // a stream that only reconnects is not lost
const language = document.documentElement.lang;
const curve = document.getElementById("curve");
const SILENCE_S = Number(curve.dataset.silenceS); // further apart, nothing is known of what lies between
const plotBox = curve.querySelector(".plot");
const readout = Object.fromEntries(
  ["at", "building", "charging", "limit"].map((name) => [name, curve.querySelector(`.legend .${name} dd`)]));
const amps = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = (options) => new Intl.DateTimeFormat(
  language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: curve.dataset.timeZone, ...options });
const toMinute = clock({});
const toSecond = clock({ second: "2-digit" });

let points = []; // [unix time, building L1–L3, charging L1–L3, limit L1–L3]
let plot = null;
let lost = null;
let heardAt = new Date();

const chosenLine = () => Number(curve.querySelector("[name=line]:checked").value);
const colourOf = (name) => getComputedStyle(curve.querySelector(`.legend .${name}`)).getPropertyValue("color");

function columns() {
  const line = chosenLine();
  const rows = points.flatMap((point, index) => {
    const before = points[Math.max(0, index - 1)][0];
    return point[0] - before > SILENCE_S ? [[before + 1], [point[0] - 1], point] : [point];
  });
  return [0, 1 + line, 4 + line, 7 + line].map((column) => rows.map((row) => row[column] ?? null));
}

function faint(colour) {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)");
}

function options() {
  const text = getComputedStyle(curve).getPropertyValue("color");
  const grid = { stroke: faint(text), width: 1 };
  const axis = { stroke: text, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  const [building, charging, limit] = ["building", "charging", "limit"].map(colourOf);
  return {
    width: plotBox.clientWidth,
    height: plotBox.clientHeight,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { range: () => { const end = points.at(-1)[0]; return [end - HISTORY_S, end]; } },
      y: { range: (_, low, high) => [Math.min(0, low), Math.max(10, high * 1.1)] },
    },
    axes: [
      { ...axis, size: 32, values: (_, ticks) => ticks.map((tick) => toMinute.format(tick * 1000)) },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => `${tick} A`) },
    ],
    series: [
      {},
      { stroke: building, fill: faint(building), width: 2, points: { show: false } },
      { stroke: charging, fill: faint(charging), width: 2, points: { show: false } },
      { stroke: limit, width: 2, dash: [6, 4], points: { show: false } },
    ],
    hooks: { setCursor: [(shown) => read(shown.cursor.idx)] },
  };
}

function read(index) {
  const data = columns();
  const at = index ?? data[0].length - 1;
  const show = (current) => (current == null ? "–" : `${amps.format(current)} A`);
  readout.at.textContent = toSecond.format(data[0][at] * 1000);
  ["building", "charging", "limit"].forEach((name, number) => { readout[name].textContent = show(data[number + 1][at]); });
}

function draw() {
  curve.classList.toggle("has-points", points.length > 0);
  if (!points.length) return;
  if (plot) plot.setData(columns());
  else plot = new uPlot(options(), columns(), plotBox);
  read(plot.cursor.idx);
}

function redraw() {
  plot?.destroy();
  plot = null;
  draw();
}

async function loadHistory() {
  const answer = await fetch(curve.dataset.url, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return;
  const seen = await answer.json();
  const last = seen.at(-1)?.[0] ?? 0;
  points = [...seen, ...points.filter((point) => point[0] > last)];
  draw();
}

function addPoint(event) {
  const point = JSON.parse(event.data);
  if (points.length && point[0] <= points.at(-1)[0]) return;
  points = [...points.filter((old) => old[0] > point[0] - HISTORY_S), point];
  draw();
}

function tellState() {
  const header = document.getElementById("header-state");
  const now = document.getElementById("state");
  if (header.textContent.trim() === now.textContent.trim()) return; // a live region speaks at every change
  header.className = now.className;
  header.innerHTML = now.innerHTML;
  const menu = document.getElementById("menu-state");
  menu.className = now.className.replace("chip", "manager");
  menu.innerHTML = now.innerHTML;
}

function showLost() {
  const notice = document.getElementById("lost");
  notice.querySelector("time").textContent = toMinute.format(heardAt);
  notice.hidden = false;
}

document.addEventListener("htmx:sseOpen", ({ detail }) => {
  clearTimeout(lost);
  lost = null;
  document.getElementById("lost").hidden = true;
  detail.source.addEventListener("point", addPoint);
  loadHistory();
});
document.addEventListener("htmx:sseError", () => { lost ??= setTimeout(showLost, LOST_AFTER_MS); });
document.addEventListener("htmx:sseMessage", () => { heardAt = new Date(); tellState(); });
document.addEventListener("htmx:sseClose", ({ detail }) => {
  if (detail.type === "message") location.reload(); // signed out: leads to the sign-in page
});
curve.addEventListener("change", redraw);
addEventListener("themechange", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(() => {
  if (plot) plot.setSize({ width: plotBox.clientWidth, height: plotBox.clientHeight });
}).observe(plotBox);
