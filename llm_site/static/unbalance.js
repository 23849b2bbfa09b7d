// The limit of the unbalance that is usual in the chosen country, to be entered with one press.
const usual = JSON.parse(document.getElementById("unbalance-usual").textContent);
const country = document.getElementById("id_country");
const limit = document.getElementById("id_unbalance_a");
const hint = document.getElementById("unbalance-hint");
const button = hint.querySelector("button");

function showUsual() {
  const current = usual[country.value];
  hint.hidden = current === undefined || Number(limit.value.replace(",", ".")) === current;
  button.textContent = button.dataset.text.replace("§", current);
}

button.addEventListener("click", () => {
  limit.value = usual[country.value];
  limit.dispatchEvent(new Event("input", { bubbles: true }));
  limit.dispatchEvent(new Event("change", { bubbles: true }));
  limit.focus();
});
for (const [field, event] of [[country, "change"], [limit, "input"]]) field.addEventListener(event, showUsual);
showUsual();
