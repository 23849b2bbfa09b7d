// The time zones follow the country; the machine's clock runs in the chosen zone.
const zones = JSON.parse(document.getElementById("zones").textContent);
const country = document.getElementById("id_country");
const zone = document.getElementById("id_time_zone");
const listedFor = document.getElementById("id_listed_for");
const clock = document.getElementById("clock");
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const ahead = Number(clock.dataset.nowMs) - Date.now(); // ms that the machine's clock is before this device's
const TELLING = 60_000; // ms: what the way here and a slow page cannot explain

function follow() {
  const own = zones[country.value] ?? [];
  const [first, others] = zone.querySelectorAll("optgroup");
  const options = new Map([...zone.options].map((option) => [option.value, option]));
  first.replaceChildren(...own.map((name) => options.get(name)));
  others.replaceChildren(...[...options.keys()].filter((name) => !own.includes(name)).sort().map((name) => options.get(name)));
  listedFor.value = country.value;
  if (own.length) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    zone.value = own.includes(here) ? here : own[0];
  }
  tick();
}

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

country.addEventListener("change", follow);
zone.addEventListener("change", tick);
document.getElementById("differs").hidden = Math.abs(ahead) < TELLING;
setInterval(tick, 1000);
tick();
