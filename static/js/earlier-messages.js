// Older messages, fetched when the reader comes near them, and put in without moving the page.

const PREFETCH_MARGIN = "600px"; // above what is seen

let linkObserver;

/** After the page has found its place: seen from the top it would fetch at once. */
export function startEarlierMessages() {
  linkObserver = new IntersectionObserver(onIntersect, { rootMargin: `${PREFETCH_MARGIN} 0px 0px` });
  document.addEventListener("htmx:before:swap", keepScrollPosition);
  observeLink();
}

function observeLink() {
  const link = document.querySelector("#messages > .messages-page-link[hx-get]");
  if (link) linkObserver.observe(link);
}

function onIntersect(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    linkObserver.unobserve(target);
    window.htmx.trigger(target, "in-view");
  }
}

/** What is read now stays where it is, whatever comes above it. */
function keepScrollPosition({ target }) {
  if (!target.matches?.(".messages-page-link")) return;
  const messages = target.parentElement;
  const held = target.nextElementSibling;
  const top = held.getBoundingClientRect().top;
  const arrived = new MutationObserver(() => {
    arrived.disconnect();
    document.scrollingElement.scrollTop += held.getBoundingClientRect().top - top;
    const page = held.previousElementSibling;
    if (page?.matches(".earlier-messages")) messages.dispatchEvent(new CustomEvent("earlier-loaded", { bubbles: true, detail: page }));
    observeLink();
  });
  arrived.observe(messages, { childList: true });
}
