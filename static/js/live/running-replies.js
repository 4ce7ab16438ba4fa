// The replies of this page that are still being written.

/** @returns {LiveReply[]} in the order in which they run */
export function runningReplies() {
  return [...document.querySelectorAll("#messages live-reply")].filter(
    ({ isRunning }) => isRunning,
  );
}
