// The pages of badges: stations are chosen only where not all are meant, and what is changed is ticked.

/** Show the choice of stations only where not all are meant. */
function showStations() {
  const everywhere = document.getElementById("id_is_good_everywhere");
  const chosen = document.querySelector(".field-stations");
  if (everywhere && chosen) chosen.hidden = everywhere.checked && !chosen.classList.contains("errors");
  const scanned = document.querySelector(".field-scanned");
  if (scanned) scanned.hidden = document.querySelector("[name=where]:checked")?.value !== "chosen";
}

document.addEventListener("input", (event) => {
  showStations();
  const tick = event.target.closest("[data-setting]")?.querySelector("[data-tick]");
  if (tick && tick !== event.target) tick.checked = true;
});
showStations();
