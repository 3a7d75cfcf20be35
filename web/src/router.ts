// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The app's pages. The server gives the app for exactly these paths (src/api/app_pages.c), and
// tests/browser/app.test.mjs holds the two lists together.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';
import { learn } from './i18n';
import { useSession } from './stores/session';

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's name, for the window's title. */
    title: string;
    /** Only for who is logged in. */
    member?: boolean;
    /** Without the navigation around it. */
    bare?: boolean;
    /** Takes the whole width and height (chats, the map). */
    full?: boolean;
    /** Takes the whole width, and the navigation little of it. */
    wide?: boolean;
    /** Pages with the same word are one to the eye: going between them keeps what stands there. */
    one?: string;
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'feed', component: () => import('./pages/FeedPage.vue'), meta: { title: 'app.home' } },
  { path: '/p/:id(\\d+)', name: 'post', component: () => import('./pages/PostPage.vue'), meta: { title: 'feed.onePost' } },
  { path: '/u/:who', name: 'profile', component: () => import('./pages/ProfilePage.vue'), meta: { title: 'app.profile' } },
  { path: '/c', name: 'chats', component: () => import('./pages/ChatPage.vue'), meta: { title: 'app.chat', full: true, member: true, one: 'chat' } },
  { path: '/c/:id(\\d+)', name: 'chat', component: () => import('./pages/ChatPage.vue'), meta: { title: 'app.chat', full: true, member: true, one: 'chat' } },
  { path: '/t', name: 'town', component: () => import('./pages/TownPage.vue'), meta: { title: 'app.town', member: true, full: true } },
  { path: '/society', name: 'society', component: async () => (await learn('society'), import('./pages/SocietyPage.vue')), meta: { title: 'society.title', member: true } },
  { path: '/search', name: 'search', component: () => import('./pages/SearchPage.vue'), meta: { title: 'app.search' } },
  { path: '/m', name: 'messages', component: () => import('./pages/MessagesPage.vue'), meta: { title: 'app.messages', full: true, member: true, one: 'messages' } },
  { path: '/m/:id(\\d+)', name: 'letters', component: () => import('./pages/MessagesPage.vue'), meta: { title: 'app.messages', full: true, member: true, one: 'messages' } },
  { path: '/g/:id(\\d+)', name: 'group', component: () => import('./pages/MessagesPage.vue'), meta: { title: 'app.messages', full: true, member: true, one: 'messages' } },
  { path: '/n', name: 'notifications', component: () => import('./pages/NotificationsPage.vue'), meta: { title: 'notify.title', member: true } },
  { path: '/w', name: 'wikis', component: async () => (await learn('wiki'), import('./pages/WikisPage.vue')), meta: { title: 'app.wikis' } },
  { path: '/w/:id(\\d+)', name: 'wiki', component: async () => (await learn('wiki'), import('./pages/WikiPage.vue')), meta: { title: 'app.wikis', wide: true, one: 'wiki' } },
  { path: '/w/:id(\\d+)/source', name: 'wikiSource', component: async () => (await learn('wiki'), import('./pages/WikiPage.vue')), meta: { title: 'app.wikis', wide: true, one: 'wiki' } },
  { path: '/w/:id(\\d+)/about', name: 'wikiAbout', component: async () => (await learn('wiki'), import('./pages/WikiPage.vue')), meta: { title: 'app.wikis', wide: true, one: 'wiki' } },
  { path: '/login', name: 'login', component: () => import('./pages/LoginPage.vue'), meta: { title: 'account.logIn', bare: true } },
  { path: '/register', name: 'register', component: () => import('./pages/RegisterPage.vue'), meta: { title: 'account.register', bare: true } },
  { path: '/settings', name: 'settings', component: async () => (await learn('leaving'), import('./pages/SettingsPage.vue')), meta: { title: 'app.settings' } },
  { path: '/setup', name: 'setup', component: async () => (await learn('setup', 'keeper'), import('./pages/SetupPage.vue')), meta: { title: 'setup.title', member: true, one: 'setup' } },
  { path: '/manage/:section?', name: 'manage', component: async () => (await learn('keeper', 'moderate', 'setup'), import('./pages/ManagePage.vue')), meta: { title: 'manage.title', member: true, one: 'manage' } },
  { path: '/:rest(.*)*', name: 'missing', component: () => import('./pages/MissingPage.vue'), meta: { title: 'app.missing' } },
];

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => {
    if (saved) return saved;
    if (to.hash.startsWith('#h-') && document.getElementById(to.hash.slice(1))) return { el: document.getElementById(to.hash.slice(1))! };
    return to.path === from.path && to.query.page === from.query.page && to.query.path === from.query.path ? undefined : { top: 0 };
  },
});

router.beforeEach((to) => {
  const session = useSession();
  if (to.meta.member && !session.me) return { name: 'login', query: { next: to.fullPath } };
  if (session.me && (to.name === 'login' || to.name === 'register')) return { name: 'feed' };
  return true;
});
