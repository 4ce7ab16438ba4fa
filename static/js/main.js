// Starts everything live on a conversation page. Without it the page can be read, and its forms
// work.

import { startComposer } from "./composer/composer.js";
import { startModelPicker } from "./composer/model-picker.js";
import { startEarlierMessages } from "./conversation/more-messages.js";
import { startMessageActions } from "./conversation/message-actions.js";
import { startStickToBottom } from "./conversation/scroll.js";
import { startCopyButtons, enhanceHistory } from "./enhance/enhance.js";
import { startKeyboard } from "./keyboard.js";
import { LiveReply } from "./live/live-reply.js";
import { connection } from "./live/socket.js";
import { startStallNotice, startStatusLine } from "./live/status.js";
import { startConversationMenu, startToasts } from "./sidebar/conversation-menu.js";
import { startDayHeadings } from "./sidebar/days.js";
import { startOlderConversations, startSidebar } from "./sidebar/sidebar.js";

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
startDayHeadings();
customElements.define("live-reply", LiveReply);
startCopyButtons();
enhanceHistory(document);
document.addEventListener("earlier-loaded", ({ detail }) => enhanceHistory(detail));
startEarlierMessages();
connection.start();
// Few pages need it, so none waits for it; but it must be here before anything fails.
import("./live/fallback.js").then(({ startFallback }) => startFallback());
