// Fill in an example payload for the chosen action, unless a person has written one.
const examples = JSON.parse(document.getElementById("examples").textContent);
const action = document.getElementById("id_action");
const payload = document.getElementById("id_payload");
let filledIn = payload.value;

action.addEventListener("change", () => {
  if (payload.value !== filledIn && payload.value.trim() !== "") return;
  filledIn = payload.value = JSON.stringify(examples[action.value], null, 2);
});
