// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Times as people say them, in the language of the app.

/** The server's times are UTC and say no zone. */
export function fromServer(text: string): Date {
  return new Date(/Z|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
}

/** Making one costs a browser a tenth of a millisecond or more, and a list of posts asks for many. */
function kept<T>(make: (locale: string) => T): (locale: string) => T {
  const made = new Map<string, T>();
  return (locale) => {
    let one = made.get(locale);
    if (one === undefined) made.set(locale, (one = make(locale)));
    return one;
  };
}
const relativeIn = kept((locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }));
const dateIn = (options: Intl.DateTimeFormatOptions): ((locale: string) => Intl.DateTimeFormat) =>
  kept((locale) => new Intl.DateTimeFormat(locale, options));
const dayMonthIn = dateIn({ month: 'short', day: 'numeric' });
const dayMonthYearIn = dateIn({ month: 'short', day: 'numeric', year: 'numeric' });
const fullIn = dateIn({ dateStyle: 'medium', timeStyle: 'short' });
const clockIn = dateIn({ hour: '2-digit', minute: '2-digit' });
const weekdayIn = dateIn({ weekday: 'long', month: 'long', day: 'numeric', year: 'numeric' });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As Intl.RelativeTimeFormat says them; to make one keeps a slow phone busy for a tenth of a second before its first post. */
const PAST = {
  en: {
    now: 'now', minutes: (n: number) => (n > 1 ? `${n} minutes ago` : '1 minute ago'), hours: (n: number) => (n > 1 ? `${n} hours ago` : '1 hour ago'),
    days: (n: number) => (n > 1 ? `${n} days ago` : 'yesterday'),
  },
  zh: {
    now: '现在', minutes: (n: number) => `${n}分钟前`, hours: (n: number) => `${n}小时前`, days: (n: number) => (n > 2 ? `${n}天前` : n > 1 ? '前天' : '昨天'),
  },
};

/** "now", "5 minutes ago", "yesterday", for a week; then the date. */
export function ago(date: Date, now: number, locale: string): string {
  const past = now - date.getTime();
  const say = locale.startsWith('zh') ? PAST.zh : PAST.en;
  if (past < MINUTE) return say.now;
  if (past < HOUR) return say.minutes(Math.floor(past / MINUTE));
  if (past < DAY) return say.hours(Math.floor(past / HOUR));
  if (past < 7 * DAY) return say.days(Math.floor(past / DAY));
  return shortDate(date, now, locale);
}

/** "3 May", with the year when it is another. */
export function shortDate(date: Date, now: number, locale: string): string {
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return (sameYear ? dayMonthIn : dayMonthYearIn)(locale).format(date);
}

export function fullTime(date: Date, locale: string): string {
  return fullIn(locale).format(date);
}

export function clock(date: Date, locale: string): string {
  return clockIn(locale).format(date);
}

/** Today, yesterday, or the date: what separates days in a conversation. */
export function dayName(date: Date, now: number, locale: string): string {
  const midnight = (ms: number): number => new Date(ms).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(now) - midnight(date.getTime())) / DAY);
  if (days >= 0 && days < 2) return relativeIn(locale).format(-days, 'day');
  return weekdayIn(locale).format(date);
}
