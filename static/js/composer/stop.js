// Stopping a reply, also one that the server does not know yet.

import { postForm } from "../http.js";
import { gettext } from "../i18n.js";
import { runningReplies } from "../live/running-replies.js";

let isStopRequested = false; // of a reply that has no stream yet

/** Stop the running reply that began first. */
export async function stopFirstReply() {
  const [first] = runningReplies();
  if (!first) return;
  first.setStatusText(gettext("Stopping…"));
  isStopRequested = !first.stream;
  if (isStopRequested) return;
  const response = await postForm(`/s/${first.stream}/stop/`);
  if (!response?.ok && first.isRunning)
    first.setStatusText(gettext("Not stopped. Try again"), "failed");
}

/** The server has started the reply. */
export function stopIfRequested() {
  if (isStopRequested) stopFirstReply();
  forgetStopRequest();
}

export function forgetStopRequest() {
  isStopRequested = false;
}
