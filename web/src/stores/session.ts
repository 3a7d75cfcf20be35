// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Who is logged in here. The log-in lives in localStorage, so all tabs share it. Its refresh token
// works once: tabs take turns, and one that comes second waits for what the first has stored.
import { defineStore } from 'pinia';
import { computed, ref } from 'vue';
import { api, ApiError, ask, errorOf, setAccess, type User } from '@/api/client';

const KEY = 'hutong.session';
/** A token with less than this left is renewed before it is used. */
const MARGIN_MS = 30_000;
const OTHER_TAB_MS = 10_000;

interface Stored {
  access: string;
  refresh: string;
  /** Milliseconds since 1970, by this device's clock. */
  until: number;
  user: User;
}

function read(): Stored | null {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Stored | null;
    return stored?.access && stored.user ? stored : null;
  } catch {
    return null;
  }
}

/** POST without the token of anybody. */
async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, '');
  }
  const json = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) throw errorOf(answer, json);
  return json;
}

export const useSession = defineStore('session', () => {
  const stored = ref<Stored | null>(read());
  const me = computed(() => stored.value?.user ?? null);
  /** May take away what others wrote. */
  const moderates = computed(() => me.value?.role === 'admin' || me.value?.role === 'moderator');
  /** The log-in ended without our doing: say so once. */
  const ended = ref(false);
  /** Why nobody is logged in who was, for the page where one logs in again. */
  const over = ref<'' | 'ended' | 'elsewhere' | 'everywhere'>('');
  let renewing: Promise<string | null> | null = null;
  /** We end all log-ins ourselves: nobody needs to be told. */
  let leaving = false;

  function keep(next: Stored | null): void {
    stored.value = next;
    if (next) localStorage.setItem(KEY, JSON.stringify(next));
    else localStorage.removeItem(KEY);
  }

  window.addEventListener('storage', (event) => {
    if (event.key !== KEY && event.key !== null) return;
    const before = stored.value;
    stored.value = read();
    if (before && !stored.value) over.value = 'elsewhere';
  });

  function tokens(json: Record<string, unknown>, user: User): Stored {
    return {
      access: String(json.access_token),
      refresh: String(json.refresh_token ?? ''),
      until: Date.now() + Number(json.expires_in) * 1000,
      user,
    };
  }

  /** Another tab is at it: what it stores, or null when nothing comes. */
  function fromOtherTab(old: Stored): Promise<string | null> {
    return new Promise((found) => {
      const began = Date.now();
      const look = (): void => {
        const now = read();
        if (!now || now.refresh !== old.refresh) found((stored.value = now)?.access ?? null);
        else if (Date.now() - began > OTHER_TAB_MS) found(null);
        else setTimeout(look, 100);
      };
      look();
    });
  }

  async function refresh(old: Stored): Promise<string | null> {
    const now = read();
    if (now && now.access !== old.access) return (stored.value = now).access;
    if (!now || !old.refresh) return lose();
    try {
      const next = tokens(await post('/auth/refresh', { refresh_token: old.refresh }), now.user);
      keep(next);
      return next.access;
    } catch (error) {
      const status = (error as ApiError).status;
      if (status === 409) return (await fromOtherTab(old)) ?? old.access;
      if (status === 401 || status === 403 || status === 422) return lose();
      throw error; // the network, or a server in trouble: the log-in is not to blame
    }
  }

  function lose(): null {
    if (stored.value && !leaving) {
      ended.value = true;
      over.value = 'ended';
    }
    keep(null);
    return null;
  }

  function renew(refused: string): Promise<string | null> {
    const old = stored.value;
    if (!old) return Promise.resolve(null);
    if (old.access !== refused) return Promise.resolve(old.access);
    renewing ??= refresh(old).finally(() => (renewing = null));
    return renewing;
  }

  async function token(): Promise<string | null> {
    const now = stored.value;
    if (!now) return null;
    if (Date.now() < now.until - MARGIN_MS) return now.access;
    return renew(now.access);
  }

  async function logIn(username: string, password: string): Promise<void> {
    const json = await post('/auth/login', { username, password });
    const answer = await fetch('/auth/me', { headers: { Authorization: `Bearer ${String(json.access_token)}` } });
    const user: unknown = await answer.json();
    if (!answer.ok) throw errorOf(answer, user);
    keep(tokens(json, user as User));
    ended.value = false;
    over.value = '';
  }

  async function register(form: { username: string; password: string; nickname: string; admin_code?: string }): Promise<void> {
    await post('/auth/register', form);
    await logIn(form.username, form.password);
  }

  async function logOut(): Promise<void> {
    const access = await token().catch(() => stored.value?.access);
    // First here and in the other tabs: the server hangs up on them. If it cannot be told now, the
    // token ends by itself.
    keep(null);
    const headers = { Authorization: `Bearer ${access}` };
    await fetch('/auth/logout', { method: 'POST', headers }).catch(() => undefined);
  }

  /** Ends all log-ins, this one too. When the server cannot be told, all stay, and it throws. */
  async function logOutEverywhere(): Promise<void> {
    const access = await token();
    const before = stored.value;
    if (!access || !before) return;
    // First here, as above: what hangs up on the tabs comes before the answer.
    keep(null);
    try {
      const answer = await fetch('/auth/logout-all', { method: 'POST', headers: { Authorization: `Bearer ${access}` } });
      // 401: this log-in was over already, and nothing can be told with it.
      if (!answer.ok) throw errorOf(answer, await answer.json().catch(() => ({})));
      over.value = 'everywhere';
    } catch (error) {
      const failure = error instanceof ApiError ? error : new ApiError(0, '');
      if (failure.status !== 401) keep(before);
      throw failure;
    }
  }

  /** The account goes, with all that is its own. */
  async function leave(password: string): Promise<void> {
    const access = await token();
    leaving = true;
    try {
      const answer = await fetch('/users/me', {
        method: 'DELETE',
        headers: { Authorization: `Bearer ${access}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ password }),
      }).catch(() => {
        throw new ApiError(0, '');
      });
      if (!answer.ok) throw errorOf(answer, await answer.json().catch(() => ({})));
      keep(null);
    } finally {
      leaving = false;
    }
  }

  /** Once a visit: the name or role may have changed elsewhere. */
  async function look(): Promise<void> {
    if (!stored.value) return;
    const user = await ask(api.GET('/auth/me'));
    if (stored.value) keep({ ...stored.value, user });
  }

  setAccess({ token, renew });
  return { me, moderates, ended, over, token, logIn, register, logOut, logOutEverywhere, leave, look };
});
