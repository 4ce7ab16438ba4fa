// Everything live on a conversation page. Without it the page still reads, and its forms still post.

import { startComposer } from "./composer.js";
import { enhanceHistory, startCopyButtons } from "./enhance.js";
import { startStickToBottom } from "./follow.js";
import { startKeyboard } from "./keys.js";
import { startConversationList } from "./listing.js";
import { LiveReply } from "./live-reply.js";
import { startEarlierMessages } from "./older.js";
import { startModelPicker } from "./picker.js";
import { startPolling } from "./polling.js";
import { connection } from "./socket.js";
import { startStallNotice } from "./states.js";
import { startMessageActions } from "./tree.js";
import { startShell } from "./ui.js";

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
