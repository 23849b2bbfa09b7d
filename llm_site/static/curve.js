// The curve of building, charging and its limit: its points come with the page's stream, and from the history.
const curve = document.getElementById("curve");
const plotBox = curve.querySelector(".plot");
const NAMES = ["building", "charging", "limit"];
const readout = Object.fromEntries(["at", ...NAMES].map((name) => [name, curve.querySelector(`.legend .${name} dd`)]));
const language = document.documentElement.lang;
const amps = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = (options) => new Intl.DateTimeFormat(
  language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: curve.dataset.timeZone, ...options });
const toMinute = clock({});
const toSecond = clock({ second: "2-digit" });
const toDayAndMinute = clock({ weekday: "short" });
const toDay = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", timeZone: curve.dataset.timeZone });

let points = []; // [unix time, building L1–L3, charging L1–L3, limit L1–L3]
let loadedAt = 0;
let plot = null;

const span = () => {
  const chosen = curve.querySelector("[name=span]:checked");
  return { name: chosen.value, lengthS: Number(chosen.dataset.lengthS), pointS: Number(chosen.dataset.pointS) };
};
const isLive = () => span().pointS === 1;
const chosenLines = () => {
  const line = curve.querySelector("[name=line]:checked").value;
  return line === "all" ? [0, 1, 2] : [Number(line)];
};
const colourOf = (name) => getComputedStyle(curve.querySelector(`.legend .${name}`)).getPropertyValue("color");

function columns() {
  // further apart than this, nothing is known of what lies between
  const silenceS = isLive() ? Number(curve.dataset.silenceS) : 1.6 * span().pointS;
  const rows = points.flatMap((point, index) => {
    const before = points[Math.max(0, index - 1)][0];
    return point[0] - before > silenceS ? [[before + 1], [point[0] - 1], point] : [point];
  });
  const shown = [0, 3, 6].flatMap((kind) => chosenLines().map((line) => 1 + kind + line));
  return [0, ...shown].map((column) => rows.map((row) => row[column] ?? null));
}

function faint(colour) {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)");
}

function series() {
  const isOne = chosenLines().length === 1;
  const look = { width: isOne ? 2 : 1.5, points: { show: false } };
  return NAMES.flatMap((name) => {
    const stroke = colourOf(name);
    const kind = name === "limit" ? { dash: [6, 4] } : { fill: isOne ? faint(stroke) : undefined };
    return chosenLines().map(() => ({ ...look, ...kind, stroke }));
  });
}

function options() {
  const text = getComputedStyle(curve).getPropertyValue("color");
  const grid = { stroke: faint(text), width: 1 };
  const axis = { stroke: text, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  const times = (_, ticks) => {
    const format = ticks[1] - ticks[0] >= 86400 ? toDay : span().name === "week" ? toDayAndMinute : toMinute;
    return ticks.map((tick) => format.format(tick * 1000));
  };
  return {
    width: plotBox.clientWidth,
    height: plotBox.clientHeight,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    tzDate: (moment) => uPlot.tzDate(new Date(moment * 1000), curve.dataset.timeZone),
    scales: {
      x: { range: () => { const end = points.at(-1)[0]; return [end - span().lengthS, end]; } },
      y: { range: (_, low, high) => [Math.min(0, low), Math.max(10, high * 1.1)] },
    },
    axes: [
      { ...axis, size: 32, space: 72, values: times },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => `${tick} A`) },
    ],
    series: [{}, ...series()],
    hooks: { setCursor: [(shown) => read(shown.cursor.idx)] },
  };
}

function read(index) {
  const data = columns();
  const at = index ?? data[0].length - 1;
  const lines = chosenLines().length;
  readout.at.textContent = (isLive() ? toSecond : toDayAndMinute).format(data[0][at] * 1000);
  NAMES.forEach((name, kind) => {
    const currents = data.slice(1 + kind * lines, 1 + (kind + 1) * lines).map((column) => column[at]);
    const isKnown = currents.some((current) => current != null);
    const figures = currents.map((current) => (current == null ? "–" : amps.format(current))).join(" · ");
    readout[name].textContent = isKnown ? `${figures} A` : "–";
  });
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

async function load() {
  const { name } = span();
  loadedAt = Date.now();
  const answer = await fetch(`${curve.dataset.url}?span=${name}`, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected || span().name !== name) return;
  const seen = await answer.json();
  const last = seen.at(-1)?.[0] ?? 0;
  points = [...seen, ...(isLive() ? points.filter((point) => point[0] > last) : [])];
  draw();
}

function addPoint(event) {
  const point = JSON.parse(event.data);
  if (!isLive()) return Date.now() - loadedAt > 60_000 ? load() : undefined;
  if (points.length && point[0] <= points.at(-1)[0]) return undefined;
  points = [...points.filter((old) => old[0] > point[0] - span().lengthS), point];
  return draw();
}

curve.addEventListener("change", ({ target }) => {
  if (target.name === "line") return redraw();
  points = [];
  const table = document.getElementById("as-table");
  table.search = `?span=${span().name}`;
  return load().then(redraw);
});
document.addEventListener("htmx:sseOpen", ({ detail }) => {
  detail.source.addEventListener("point", addPoint);
  load();
});
addEventListener("themechange", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(() => {
  if (plot) plot.setSize({ width: plotBox.clientWidth, height: plotBox.clientHeight });
}).observe(plotBox);
