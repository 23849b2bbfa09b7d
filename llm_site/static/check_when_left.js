// A field is checked when it is left: the server's own form says what is wrong with it. Nothing is saved by that.
const form = document.querySelector("form[data-check-url]");
const list = (name) => document.getElementById(`id_${name}_error`);
const checked = new Set([...form.elements].map((field) => field.name).filter((name) => list(name)?.children.length));
let newest = 0;

function show(name, errors) {
  const items = errors.map((error) => Object.assign(document.createElement("li"), { textContent: error }));
  const isNew = list(name).textContent !== items.map((item) => item.textContent).join("");
  if (isNew) list(name).replaceChildren(...items); // a live region speaks at every change
  document.getElementById(`row_${name}`).classList.toggle("errors", errors.length > 0);
  for (const field of form.querySelectorAll(`[name="${name}"]`)) {
    field.setAttribute("aria-invalid", errors.length > 0);
    field.setAttribute("aria-errormessage", list(name).id);
  }
}

// A field may make another wrong or right: what was left before is checked along.
async function check(event) {
  const name = event.target.name;
  if (!name || !list(name)) return;
  checked.add(name);
  const turn = ++newest;
  const answer = await fetch(form.dataset.checkUrl, { method: "POST", body: new FormData(form) }).catch(() => null);
  if (!answer?.ok || turn !== newest) return;
  const errors = await answer.json();
  for (const known of checked) show(known, errors[known] ?? []);
  form.dispatchEvent(new Event("checked"));
}

form.addEventListener("focusout", check);
