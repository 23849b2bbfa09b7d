// The machine's clock runs in the chosen time zone.
const zone = document.getElementById("id_time_zone");
const clock = document.getElementById("clock");
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const ahead = Number(clock.dataset.nowMs) - Date.now(); // ms that the machine's clock is before this device's
const TELLING = 60_000; // ms: what the way here and a slow page cannot explain

function tick() {
  const now = Date.now() + ahead;
  const write = (part, style) => {
    clock.querySelector(part).textContent = new Intl.DateTimeFormat(language, { ...style, timeZone: zone.value }).format(now);
  };
  try {
    write(".date", { dateStyle: "full" });
    write(".time", { timeStyle: "medium" });
  } catch {
    clock.querySelector(".time").textContent = "–"; // a zone that this browser does not know yet
  }
}

zone.addEventListener("change", tick);
document.getElementById("differs").hidden = Math.abs(ahead) < TELLING;
setInterval(tick, 1000);
tick();
