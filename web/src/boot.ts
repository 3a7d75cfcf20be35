// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The first code that runs, before anything is painted, and little: it puts the look on, so that no
// page in the dark begins with a white flash, and sends for the files that this page will need while
// the app itself, which would ask for them, is still on its way; for the feed's posts too, which
// api/client.ts takes up. It shares no code with the app.
// vite.config.ts puts it into the page and writes in which files these are.
export {};
declare const __FILES__: Record<string, string[]>;
const files = __FILES__;

/** By the first part of the address; '' is the feed. tests/boot.test.ts holds them to the router. */
const PAGES: Record<string, string> = {
  '': 'FeedPage', p: 'PostPage', u: 'ProfilePage', c: 'ChatPage', t: 'TownPage', society: 'SocietyPage', search: 'SearchPage',
  m: 'MessagesPage', g: 'MessagesPage', n: 'NotificationsPage', w: 'WikiPage', login: 'LoginPage', register: 'RegisterPage',
  settings: 'SettingsPage', setup: 'SetupPage', manage: 'ManagePage',
};

const look = localStorage.getItem('hutong.look');
const dark = look === 'dark' || (look !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.dataset.look = dark ? 'dark' : 'light';

const chosen = localStorage.getItem('hutong.language') ?? navigator.languages.find((tag) => /^(zh|en)/.test(tag)) ?? 'en';
const wanted = location.pathname === '/w' ? 'WikisPage' : PAGES[location.pathname.split('/')[1] ?? ''];
for (const href of new Set([...(files[chosen.startsWith('zh') ? 'zh-CN' : 'en'] ?? []), ...(files[wanted ?? ''] ?? [])])) {
  const link = document.createElement('link');
  link.rel = 'modulepreload';
  link.href = href;
  link.fetchPriority = 'low'; // what is painted first comes first
  document.head.append(link);
}

if (wanted === 'FeedPage') {
  const path = '/posts?limit=20';
  let session: { access: string; until: number } | null = null;
  try {
    session = JSON.parse(localStorage.getItem('hutong.session') ?? 'null');
  } catch {
    // the app begins without it, too
  }
  if (!session || session.until > Date.now() + 30_000) {
    const headers: HeadersInit = session ? { Authorization: `Bearer ${session.access}` } : {};
    window.early = { path, token: session?.access ?? null, until: Date.now() + 10_000, answer: fetch(path, { headers }).catch(() => null) };
  }
}
