// Starts everything live on a conversation page. Without it the page can be read, and its forms
// work.

import { startComposer } from "./composer/composer.js";
import { startModelPicker } from "./composer/model-picker.js";
import { startEarlierMessages } from "./conversation/more-messages.js";
import { startMessageActions } from "./conversation/message-actions.js";
import { startStickToBottom } from "./conversation/scroll.js";
import { startCopyButtons, enhanceHistory } from "./enhance/enhance.js";
import { startKeyboard } from "./keyboard.js";
import { loadModule, refreshRunningReplies } from "./late-modules.js";
import { connection } from "./live/socket.js";
import { startStallNotice, startStatusLine } from "./live/status.js";
import { startConversationMenu, startToasts } from "./sidebar/conversation-menu.js";
import { startOlderConversations, startSidebar } from "./sidebar/sidebar.js";
import { secureHtmx } from "./trusted-html.js";

secureHtmx();
startStickToBottom();
startComposer();
startMessageActions();
startConversationMenu();
startToasts();
startOlderConversations();
startModelPicker();
startKeyboard();
startStallNotice();
startStatusLine();
startSidebar();
startCopyButtons();
enhanceHistory(document);
document.addEventListener("earlier-loaded", ({ detail }) => enhanceHistory(detail));
startEarlierMessages();
connection.start();
// A message can be sent before the code that renders its reply has arrived.
loadModule(() => import("./live/live-reply.js"), refreshRunningReplies).then(({ LiveReply }) =>
  customElements.define("live-reply", LiveReply),
);
// Few pages need it, so none waits for it; but it must be here before anything fails.
loadModule(() => import("./live/fallback.js")).then(({ startFallback }) => startFallback());
// The server has written the headings; the reader's clock seldom changes them.
loadModule(() => import("./sidebar/days.js")).then(({ startDayHeadings }) => startDayHeadings());
