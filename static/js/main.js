// Everything live on a conversation page. Without it the page still reads, and its forms still post.

import { startComposer } from "./composer.js";
import { enhanceHistory, startCopyButtons } from "./enhance.js";
import { startStickToBottom } from "./scroll.js";
import { startKeyboard } from "./keyboard.js";
import { startConversationList } from "./conversation-list.js";
import { LiveReply } from "./live-reply.js";
import { startEarlierMessages } from "./earlier-messages.js";
import { startModelPicker } from "./model-picker.js";
import { startPolling } from "./polling.js";
import { connection } from "./socket.js";
import { startStallNotice } from "./stall-notice.js";
import { startMessageActions } from "./message-actions.js";
import { startShell } from "./shell.js";

startStickToBottom();
startComposer();
startMessageActions();
startConversationList();
startModelPicker();
startKeyboard();
startStallNotice();
startShell();
startPolling();
customElements.define("live-reply", LiveReply);
startCopyButtons();
enhanceHistory(document);
document.addEventListener("earlier-loaded", ({ detail }) => enhanceHistory(detail));
startEarlierMessages();
connection.start();
