// The time zones follow the country: its own stand first in the list, and one of them is chosen.
const zones = JSON.parse(document.getElementById("zones").textContent);
const country = document.getElementById("id_country");
const zone = document.getElementById("id_time_zone");

country.addEventListener("change", () => {
  const own = zones[country.value] ?? [];
  const [first, others] = zone.querySelectorAll("optgroup");
  const options = new Map([...zone.options].map((option) => [option.value, option]));
  first.replaceChildren(...own.map((name) => options.get(name)));
  others.replaceChildren(...[...options.keys()].filter((name) => !own.includes(name)).sort().map((name) => options.get(name)));
  const listedFor = document.getElementById("id_listed_for");
  if (listedFor) listedFor.value = country.value;
  if (own.length) {
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
    zone.value = own.includes(here) ? here : own[0];
  }
  zone.dispatchEvent(new Event("change", { bubbles: true }));
});
