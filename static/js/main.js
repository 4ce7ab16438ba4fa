// Starts everything live on a conversation page. Without it the page can be read, and its forms
// work.

import { startComposer } from "./composer/composer.js";
import { startModelPicker } from "./composer/model-picker.js";
import { startEarlierMessages } from "./conversation/earlier-messages.js";
import { startMessageActions } from "./conversation/message-actions.js";
import { startStickToBottom } from "./conversation/scroll.js";
import { startCopyButtons } from "./enhance/copy.js";
import { enhanceHistory } from "./enhance/enhance.js";
import { startKeyboard } from "./keyboard.js";
import { LiveReply } from "./live/live-reply.js";
import { startPolling } from "./live/polling.js";
import { connection } from "./live/socket.js";
import { startStallNotice } from "./live/stall-notice.js";
import { startConversationMenu } from "./sidebar/conversation-menu.js";
import { startOlderConversations } from "./sidebar/older-conversations.js";
import { startSidebar } from "./sidebar/sidebar.js";
import { startToasts } from "./sidebar/toasts.js";
import { startStatusLine } from "./status-line.js";

// The imports of these modules are named here, so that a browser fetches all of them at once.
import "./composer/drafts.js";
import "./composer/form.js";
import "./composer/outbox.js";
import "./composer/settings.js";
import "./conversation/new-messages.js";
import "./elements.js";
import "./enhance/code.js";
import "./enhance/math.js";
import "./enhance/queue.js";
import "./http.js";
import "./i18n.js";
import "./live/reply-renderer.js";
import "./markdown/builder.js";
import "./markdown/complexity.js";
import "./markdown/dom.js";
import "./markdown/grammar.js";
import "./markdown/links.js";
import "./markdown/pieces.js";
import "./markdown/stream.js";

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
startPolling();
customElements.define("live-reply", LiveReply);
startCopyButtons();
enhanceHistory(document);
document.addEventListener("earlier-loaded", ({ detail }) => enhanceHistory(detail));
startEarlierMessages();
connection.start();
