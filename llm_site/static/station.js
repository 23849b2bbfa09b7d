// The pages of stations: what a current makes in kW, which badges are chosen, and which settings are changed.

const VOLTAGE_V = 230;
const rotation = document.getElementById("id_phase_rotation");
const format = (digits) => new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: digits });

/** Write beside each current what it makes on the station's phases. */
function showPower() {
  const phases = rotation?.value.match(/\d/g)?.length ?? 3;
  for (const output of document.querySelectorAll("[data-power-of]")) {
    const current = parseFloat(document.getElementById(output.dataset.powerOf)?.value.replace(",", "."));
    const power = (VOLTAGE_V * current * phases) / 1000;
    output.value = Number.isFinite(power) ? `${format(power >= 10 ? 0 : 1).format(power)} kW` : "–";
  }
}

/** Show the choice of badges only where not all are taken. */
function showBadges() {
  const row = document.querySelector(".field-badges");
  if (row) row.hidden = document.getElementById("id_takes_all_badges").checked;
}

document.addEventListener("input", (event) => {
  showPower();
  showBadges();
  const tick = event.target.closest("[data-setting]")?.querySelector("[data-tick]");
  if (tick && tick !== event.target) tick.checked = true;
});
showPower();
showBadges();
