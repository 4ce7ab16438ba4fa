// Everything live on a conversation page. Without it the page still reads, and its forms still post.

import { startComposer } from "./composer.js";
import { enhanceHistory, listenForCopies } from "./enhance.js";
import { followTheEnd } from "./follow.js";
import { startKeys } from "./keys.js";
import { startListing } from "./listing.js";
import { LiveReply } from "./live-reply.js";
import { loadOlder } from "./older.js";
import { startPicker } from "./picker.js";
import { startPolling } from "./polling.js";
import { connection } from "./socket.js";
import { startStates } from "./states.js";
import { startTree } from "./tree.js";
import { startPage } from "./ui.js";

followTheEnd();
startComposer();
startTree();
startListing();
startPicker();
startKeys();
startStates();
startPage();
startPolling();
customElements.define("live-reply", LiveReply);
listenForCopies();
enhanceHistory(document);
document.addEventListener("older", ({ detail }) => enhanceHistory(detail));
loadOlder();
connection.start();
