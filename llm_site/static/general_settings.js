// The general settings: fields that come with a choice, what the figures leave, the meter by vendor, and what was found.
const form = document.getElementById("installation_form");
const field = (name) => form.elements.namedItem(name);
const amperes = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

for (const part of document.querySelectorAll("[data-needs-script]")) part.hidden = false;
document.getElementById("faults")?.focus();

// A field with an error is always shown, or nobody could mend it.
function showWhatBelongs() {
  for (const part of form.querySelectorAll("[data-shown-with]")) {
    const value = field(part.dataset.shownWith).value;
    const wanted = part.dataset.shownValues.split(" ").filter(Boolean);
    const belongs = wanted.length ? wanted.includes(value) : value !== "";
    part.hidden = !belongs && !part.classList.contains("errors");
  }
}

function entered(name) {
  const text = field(name).value.trim().replace(",", ".");
  return text === "" ? NaN : Number(text);
}

function tell(output, current) {
  const isKnown = Number.isFinite(current) && current > 0;
  output.textContent = isKnown ? output.dataset.text.replace("§", amperes.format(current)) : output.dataset.none;
}

// As default_fail_safe_a of the loop: an equal share in steps of 0.1 A, 0 where it is below 6 A.
function showWhatIsLeft() {
  const derated = (entered("fuse_a") * (100 - entered("derating_percent"))) / 100;
  const limit = entered("static_limit_a");
  const isStatic = field("mode").value === "static";
  const most = isStatic ? Math.min(limit, Number.isFinite(derated) ? derated : limit) : derated;
  const left = document.getElementById("derated");
  left.hidden = [...left.htmlFor].some((id) => document.getElementById(id).getAttribute("aria-invalid") === "true");
  tell(left, derated);
  const share = document.getElementById("share");
  if (share === null) return;
  const part = Math.floor((most / Number(share.dataset.stations)) * 10) / 10;
  tell(share, part >= 6 ? part : 0);
}

// The list of models holds those of one vendor; without this script it holds all, by vendor.
const models = field("meter_model");
const vendors = document.getElementById("id_meter_vendor");
const none = models.options[0];
const groups = new Map([...models.querySelectorAll("optgroup")].map((group) => [group.label, [...group.children]]));
const meters = JSON.parse(document.getElementById("meters").textContent);

function showVendor() {
  const own = groups.get(vendors.value) ?? [none];
  const chosen = own.find((option) => option.selected) ?? own[0];
  models.replaceChildren(...own);
  models.value = chosen.value;
  for (const part of [models.labels[0], models.parentElement]) part.hidden = vendors.value === "";
}

function showMeter() {
  const known = meters[models.value];
  document.getElementById("meter-about").textContent = known?.about.trim() ?? "";
  document.getElementById("meter-refusal").textContent = known?.refusal ?? "";
  document.getElementById("id_meter_model_helptext").hidden = models.value !== "";
  field("meter_url").placeholder = known?.example ?? "";
}

function choose(model) {
  const vendor = [...groups].find(([, options]) => options.some((option) => option.value === model));
  vendors.value = vendor ? vendor[0] : "";
  showVendor();
  models.value = model;
  showMeter();
  showWhatBelongs();
}

const chosen = models.value;
vendors.append(new Option(none.text, ""), ...[...groups.keys()].map((name) => new Option(name, name)));
choose(chosen);
vendors.addEventListener("change", () => {
  showVendor();
  models.dispatchEvent(new Event("change", { bubbles: true }));
});
models.addEventListener("change", () => {
  showMeter();
  const unit = meters[models.value]?.unit;
  if (unit !== null && unit !== undefined) field("meter_unit").value = unit;
});

// Where a search looks is no setting: leaving the page with it asks nothing.
document.getElementById("search").addEventListener("input", (event) => event.stopPropagation(), { capture: true });

// A reading belongs to the meter it was taken with.
function forgetReading(event) {
  if (event.target.closest("#meter")) document.getElementById("meter-reading").replaceChildren();
}

form.addEventListener("change", showWhatBelongs);
form.addEventListener("checked", showWhatBelongs);
form.addEventListener("checked", showWhatIsLeft);
form.addEventListener("input", forgetReading);
form.addEventListener("input", showWhatIsLeft);
showWhatIsLeft();

// “Use this one”: what was found goes into the form; a meter that was not recognised keeps the chosen model.
document.addEventListener("click", (event) => {
  const found = event.target.closest?.("button[data-url]");
  if (!found) return;
  if (found.dataset.model) choose(found.dataset.model);
  field("meter_url").value = found.dataset.url;
  field("meter_unit").value = found.dataset.unit;
  field("meter_url").dispatchEvent(new Event("input", { bubbles: true }));
  const notSaved = document.getElementById("not-saved");
  notSaved.hidden = false;
  notSaved.textContent = notSaved.dataset.text;
  (found.dataset.model ? field("meter_url") : vendors).focus({ preventScroll: true });
  notSaved.scrollIntoView();
});
