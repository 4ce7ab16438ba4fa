// Earlier messages, fetched when the reader comes near them, and inserted without moving the page.

const PREFETCH_MARGIN = "600px"; // above the window

let linkObserver;

/** Call this after the page has scrolled to its position: at the top, it would fetch at once. */
export function startEarlierMessages() {
  linkObserver = new IntersectionObserver(onIntersect, {
    rootMargin: `${PREFETCH_MARGIN} 0px 0px`,
  });
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

/** The visible text stays in its place, whatever is inserted above it. */
function keepScrollPosition({ target }) {
  if (!target.matches?.(".messages-page-link")) return;
  const messages = target.parentElement;
  const next = target.nextElementSibling;
  const top = next.getBoundingClientRect().top;
  const arrived = new MutationObserver(() => {
    arrived.disconnect();
    document.scrollingElement.scrollTop += next.getBoundingClientRect().top - top;
    const page = next.previousElementSibling;
    if (page?.matches(".earlier-messages"))
      messages.dispatchEvent(new CustomEvent("earlier-loaded", { bubbles: true, detail: page }));
    observeLink();
  });
  arrived.observe(messages, { childList: true });
}
