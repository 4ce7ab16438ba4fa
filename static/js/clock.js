// The reader's time zone. A cookie tells it to the server. A page that was rendered for another zone
// is corrected here.

import { gettext } from "./elements.js";

const COOKIE_NAME = "timezone";
const COOKIE_SECONDS = 365 * 86_400;
const MARGIN_MS = 100; // a timer may fire early

/** Dispatches “day-changed” on the document when another day or time zone began. */
export function startClock() {
  applyTimezone();
  document.addEventListener("visibilitychange", applyTimezone);
  addEventListener("pageshow", applyTimezone);
  waitForMidnight();
}

function applyTimezone() {
  if (document.hidden) return;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (timeZone && !document.cookie.split("; ").includes(`${COOKIE_NAME}=${timeZone}`)) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    // biome-ignore lint/suspicious/noDocumentCookie: the other interface needs https
    document.cookie = `${COOKIE_NAME}=${timeZone}; path=/; max-age=${COOKIE_SECONDS}; samesite=lax${secure}`;
  }
  const { dataset } = document.body;
  if (timeZone && dataset.timezone !== timeZone) {
    for (const time of document.querySelectorAll("time[datetime]")) showLocalTime(time);
    dataset.timezone = timeZone;
  }
  document.dispatchEvent(new CustomEvent("day-changed"));
}

/** As the server writes it: “28 November 2026, 14:50 GMT”, with seconds where it has them. */
function showLocalTime(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const hasSeconds = /\d:\d\d:\d/.test(element.textContent);
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    ...(hasSeconds && { second: "2-digit" }),
    hourCycle: "h23",
    timeZoneName: "short",
  });
  const parts = Object.fromEntries(
    format.formatToParts(moment).map(({ type, value }) => [type, value]),
  );
  const { day, month, year, hour, minute, second, timeZoneName } = parts;
  const clock = [hour, minute, second].filter(Boolean).join(":");
  element.textContent = `${day} ${month} ${year}, ${clock} ${timeZoneName}`;
}

function waitForMidnight() {
  const now = new Date();
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
  setTimeout(
    () => {
      document.dispatchEvent(new CustomEvent("day-changed"));
      waitForMidnight();
    },
    midnight - now + MARGIN_MS,
  );
}

/** The heading of the day, as `get_day_heading` of the server names it. */
export function getDayHeading(moment, now = new Date()) {
  const startOf = (daysAgo) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo);
  if (moment >= startOf(0)) return gettext("Today");
  if (moment >= startOf(1)) return gettext("Yesterday");
  return moment >= startOf(7) ? gettext("Previous 7 days") : gettext("Older");
}
