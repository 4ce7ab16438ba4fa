// The settings of a reply: only those that the selected model supports, and a summary of what
// differs from the defaults.

import { interpolate } from "../i18n.js";

let draftEffort = ""; // the effort of a draft whose model is not selected yet

export function setDraftEffort(effort) {
  draftEffort = effort;
}

export function updateSettings(form) {
  const {
    settings = "",
    efforts = "",
    maxOutput,
  } = form.elements.model.selectedOptions[0]?.dataset ?? {};
  const { max_tokens: tokens, reasoning_effort: effort } = form.elements;
  const supported = settings.split(" ");
  const rows = [...form.querySelectorAll("[data-setting]")];
  for (const row of rows)
    row.hidden = "dependsOnModel" in row.dataset && !supported.includes(row.dataset.setting);
  updateEfforts(effort, efforts.split(" ").filter(Boolean));
  if (maxOutput) tokens.max = maxOutput;
  else tokens.removeAttribute("max");
  const summary = document.getElementById("settings-summary");
  summary.textContent = rows
    .filter((row) => !row.hidden)
    .map((row) => summarize(row.dataset, form.elements))
    .filter(Boolean)
    .join(" · ");
  summary.parentElement.classList.toggle("changed", summary.textContent !== "");
}

function summarize({ setting, summary }, elements) {
  const { value } = elements[setting];
  return value && interpolate(summary, { value });
}

/** Each model has its own names for efforts. */
function updateEfforts(effort, names) {
  const offered = [...effort.options].slice(1).map(({ value }) => value);
  if (offered.join() === names.join()) return;
  const chosen = effort.value || draftEffort;
  effort.replaceChildren(
    effort.options[0],
    ...names.map((name) => new Option(name[0].toUpperCase() + name.slice(1), name)),
  );
  effort.value = names.includes(chosen) ? chosen : "";
}
