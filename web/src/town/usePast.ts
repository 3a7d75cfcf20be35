// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Back through a day: its action log, loaded once, and where everybody was at a minute of it.
import { computed, ref, shallowRef, watch } from 'vue';
import { api, ask } from '@/api/client';
import { everybodyAt, Past } from './past';
import { DAY, dayOf, type Log } from './types';
import type { TownHere } from './useTown';

const PAGE = 200;
/** A day of some four hundred residents; of larger towns, its last hours. */
const PAGES_MOST = 80;
const PAGES_BEFORE = 3;

export function usePast(here: TownHere) {
  const on = ref(false);
  const day = ref(1);
  /** Minute of that day. */
  const at = ref(0);
  const loading = ref(false);
  const failed = shallowRef<unknown>(null);
  /** Minute of the day from which on something is known. */
  const from = ref(0);
  const until = computed(() => (day.value === dayOf(here.minute.value) ? Math.max(0, here.minute.value % DAY) : DAY - 1));
  const past = shallowRef<Past | null>(null);
  let asked = 0;

  async function pages(query: { day: number; most: number; mine: number }): Promise<Log[]> {
    const found: Log[] = [];
    let before: number | undefined;
    for (let page = 0; page < query.most && asked === query.mine; page++) {
      const answer = await ask(api.GET('/town/log', { params: { query: { day: query.day, before, limit: PAGE } } }));
      found.push(...answer.items);
      if (!answer.next_before) break;
      before = answer.next_before;
    }
    return found;
  }

  async function load(): Promise<void> {
    const mine = ++asked;
    loading.value = true;
    failed.value = null;
    try {
      const today = await pages({ day: day.value, most: PAGES_MOST, mine });
      // Who sleeps past midnight began it the day before.
      const before = day.value > 1 ? await pages({ day: day.value - 1, most: PAGES_BEFORE, mine }) : [];
      if (asked !== mine) return;
      const next = new Past([...before, ...today]);
      if (day.value === dayOf(here.minute.value)) next.addNow(here.model);
      past.value = next;
      const start = (day.value - 1) * DAY;
      from.value = Math.max(0, next.oldest - start);
      if (!Number.isFinite(from.value)) from.value = 0;
    } catch (error) {
      if (asked === mine) failed.value = error;
    } finally {
      if (asked === mine) loading.value = false;
    }
  }

  function begin(): void {
    day.value = dayOf(here.minute.value);
    at.value = here.minute.value % DAY;
    on.value = true;
    void load();
  }

  function turn(days: number): void {
    const next = day.value + days;
    if (next < 1 || next > dayOf(here.minute.value)) return;
    day.value = next;
    at.value = Math.min(at.value, until.value);
    past.value = null;
    void load();
  }

  function end(): void {
    asked++;
    on.value = false;
    past.value = null;
  }

  /** The minute that is looked at, counted as the town does; undefined: now. */
  const minute = computed(() => (on.value ? (day.value - 1) * DAY + at.value : undefined));
  /** What the map shows instead of now. */
  const shown = computed(() => {
    if (!past.value || minute.value === undefined) return null;
    return { ...everybodyAt(past.value, here.model, minute.value), minute: minute.value };
  });

  // The town was founded anew, or is gone: there is nothing to look back on.
  watch(here.demo, (demo) => demo && end());
  return { on, day, at, minute, until, from, loading, failed, shown, past, begin, turn, end, load };
}

export type PastHere = ReturnType<typeof usePast>;
