// The replies of this page that are still being written. Apart from the element, because sending a
// message needs them and none of the code that renders a reply.

/** @returns {import("./live-reply.js").LiveReply[]} in their order */
export function runningReplies() {
  return [...document.querySelectorAll("#messages live-reply")].filter(
    ({ isRunning }) => isRunning,
  );
}
