// Older messages, fetched when the reader comes near them, and put in without moving the page.

const NEAR = "600px"; // above what is seen

let inSight;

/** After the page has found its place: seen from the top it would fetch at once. */
export function loadOlder() {
  inSight = new IntersectionObserver(seen, { rootMargin: `${NEAR} 0px 0px` });
  document.addEventListener("htmx:before:swap", hold);
  watch();
}

function watch() {
  const link = document.querySelector("#messages > .older-link[hx-get]");
  if (link) inSight.observe(link);
}

function seen(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inSight.unobserve(target);
    window.htmx.trigger(target, "insight");
  }
}

/** What is read now stays where it is, whatever comes above it. */
function hold({ target }) {
  if (!target.matches?.(".older-link")) return;
  const messages = target.parentElement;
  const held = target.nextElementSibling;
  const top = held.getBoundingClientRect().top;
  const arrived = new MutationObserver(() => {
    arrived.disconnect();
    document.scrollingElement.scrollTop += held.getBoundingClientRect().top - top;
    const page = held.previousElementSibling;
    if (page?.matches(".older")) messages.dispatchEvent(new CustomEvent("older", { bubbles: true, detail: page }));
    watch();
  });
  arrived.observe(messages, { childList: true });
}
