// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The town in this page: loaded once, then as the server tells it; or, where there is none, a made-up
// one. Components look at `beat`, which goes on at most once a second; the map looks at `model`.
import { computed, onScopeDispose, ref, shallowRef, watch as whenever } from 'vue';
import { api, ApiError, ask } from '@/api/client';
import { useLive, useTopic, type LiveEvent } from '@/live';
import { TownClock } from './clock';
import { DEMO_SPEED, DemoTown, type DemoWords } from './demo';
import { TownModel } from './model';
import { typeOf, type Happening, type Log, type Say, type Sky, type Town } from './types';
import { minuteOfLog } from './past';

/** One line of the timeline. */
export interface Entry {
  key: string;
  minute: number;
  id: number;
  with: number | null;
  type: string;
  text: string;
  /** What was said, a turn a line. */
  said: string;
  about: string;
}

/** Words that stand over somebody's head. */
export interface Bubble {
  id: number;
  text: string;
  /** Game minute, and real millisecond, at which it goes. */
  until: number;
  gone: number;
}

/** What the map wants to know at once. */
export interface Watcher {
  /** Others, or other places. */
  loaded(): void;
  heard(what: Happening): void;
  /** Time, sky or bubbles: look whether a picture is due. */
  beat(): void;
}

const BEAT_MS = 1000;
/** Nothing was heard for so long: is it paused, or gone? And whatever is heard, some things are not told (doors). */
const QUIET_MS = 30_000;
const LOOK_AGAIN_MS = 120_000;
const LIVE_MOST = 300;
const BUBBLES_MOST = 12;
const BUBBLE_MS = { least: 2500, most: 20_000 };

export function useTown(words: () => DemoWords, demoPeople: number) {
  const town = shallowRef<Town | null>(null);
  const sky = shallowRef<Sky | null>(null);
  const error = shallowRef<unknown>(null);
  const demo = ref(false);
  const running = ref(false);
  const speed = ref(1);
  const beat = ref(0);
  const minute = ref(0);
  const live = shallowRef<Entry[]>([]);
  const bubbles = shallowRef<Bubble[]>([]);
  const model = new TownModel();
  const clock = new TownClock();
  const watchers = new Set<Watcher>();
  let madeUp: DemoTown | null = null;
  let heardAt = 0;
  let entries = 0;
  let loadedAt = 0;
  /** What comes while a snapshot is on its way. */
  let waiting: LiveEvent[] | null = null;
  /** A snapshot was loaded after the first event: nothing lies between the two. */
  let joined = false;

  const now = (): number => performance.now();

  function setClock(isRunning: boolean, pace: number): void {
    running.value = isRunning;
    speed.value = pace;
    clock.pace(isRunning, pace, now());
  }

  /** A snapshot: everything stands as it says. */
  function take(next: Town): void {
    const first = town.value === null;
    town.value = next;
    sky.value = next;
    setClock(next.running, next.speed);
    if (first || !next.running) clock.pace(false, next.speed, now());
    clock.sync(next.minute, now());
    clock.pace(next.running, next.speed, now());
    model.load(next);
    minute.value = next.minute;
    beat.value++;
    for (const one of watchers) one.loaded();
  }

  async function load(): Promise<void> {
    heardAt = loadedAt = now();
    waiting ??= [];
    try {
      take((await ask(api.GET('/town'))) as Town);
      error.value = null;
    } catch (fault) {
      // No town runs here: show a made-up one.
      if (fault instanceof ApiError && fault.status === 404) beginDemo();
      else if (!town.value) error.value = fault;
    }
    const kept = waiting ?? [];
    waiting = null;
    for (const event of kept) hearEvent(event);
  }

  function beginDemo(): void {
    demo.value = true;
    madeUp = new DemoTown(words(), demoPeople);
    // A while before anybody looks, so that all have found something to do.
    madeUp.go(madeUp.minute + 20);
    take(madeUp.town());
  }

  function hearEvent(event: LiveEvent): void {
    heardAt = now();
    if (!joined) {
      joined = true;
      void load();
    }
    if (waiting) waiting.push(event);
    else if (event.event === 'town.happened') happened(event.data as unknown as Sky & { happened: Happening[] });
    else if (event.event === 'say') say(event.data as unknown as Say);
  }

  function happened(what: Sky & { happened: Happening[] }): void {
    // What a snapshot already held.
    if (what.minute < (town.value?.minute ?? 0)) return;
    sky.value = what;
    clock.sync(what.minute, now());
    const added: Entry[] = [];
    // Somebody moved in or out: the snapshot has them, and where they live.
    if (what.happened.some(({ what: kind }) => kind === 'came' || kind === 'left')) void load();
    for (const one of what.happened) {
      const i = model.hear(one);
      if (i >= 0) for (const watcher of watchers) watcher.heard(one);
      if (one.id !== undefined && !['sky', 'came', 'left'].includes(one.what)) added.push(entryOf(one));
    }
    if (added.length) live.value = [...added.reverse(), ...live.value].slice(0, LIVE_MOST);
  }

  function entryOf(one: Happening): Entry {
    return {
      key: `l${entries++}`, minute: one.minute, id: one.id!, with: one.with_id ?? null, type: typeOf(one), text: one.doing ?? '', said: '',
      about: one.about ?? '',
    };
  }

  function say(turn: Say): void {
    const lasts = Math.min(BUBBLE_MS.most, Math.max(BUBBLE_MS.least, clock.lasts(turn.until - turn.minute)));
    const others = bubbles.value.filter((one) => one.id !== turn.id && one.id !== turn.with_id);
    bubbles.value = [...others, { id: turn.id, text: turn.text, until: turn.until, gone: now() + lasts }].slice(-BUBBLES_MOST);
    for (const one of watchers) one.beat();
  }

  const timer = window.setInterval(() => {
    const at = now();
    if (!town.value || document.visibilityState !== 'visible') return;
    if (madeUp && running.value) {
      const { happened: list, said } = madeUp.go(Math.floor(clock.at(at)));
      happened({ ...madeUp.sky(), happened: list });
      said.slice(-3).forEach(say);
    } else if (!madeUp && (at - heardAt > QUIET_MS || at - loadedAt > LOOK_AGAIN_MS)) void load();
    model.advance(clock.at(at));
    minute.value = Math.floor(clock.at(at));
    if (bubbles.value.some((one) => one.gone <= at)) bubbles.value = bubbles.value.filter((one) => one.gone > at);
    beat.value++;
    for (const one of watchers) one.beat();
  }, BEAT_MS);

  const seen = (): void => {
    if (document.visibilityState === 'visible' && town.value && !madeUp) void load();
  };
  document.addEventListener('visibilitychange', seen);
  onScopeDispose(() => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  });

  useTopic(
    () => (town.value && !demo.value ? town.value.topic : null),
    hearEvent,
    { reload: () => void load() },
  );

  // What was told while nobody listened is told to nobody.
  const connection = useLive();
  whenever(
    () => connection.connected,
    (is, was) => is && was === false && town.value && !madeUp && void load(),
  );

  async function control(action: 'pause' | 'resume' | 'step' | 'speed', pace?: number): Promise<void> {
    if (madeUp) {
      if (action === 'step') stepDemo(madeUp);
      else setClock(action === 'speed' ? running.value : action === 'resume', pace ?? speed.value);
      return;
    }
    take((await ask(api.POST('/town/control', { body: { action, speed: pace } }))) as Town);
  }

  function stepDemo(one: DemoTown): void {
    one.go(one.minute + 5);
    take({ ...one.town(), running: running.value, speed: speed.value });
  }

  function watch(one: Watcher): () => void {
    watchers.add(one);
    return () => watchers.delete(one);
  }

  const names = computed(() => (beat.value, (id: number): string => model.people[model.indexById.get(id) ?? -1]?.name ?? ''));
  return {
    town, sky, error, demo, running, speed, beat, minute, live, bubbles, model, clock, load, beginDemo, control, watch, names, demoSpeed: DEMO_SPEED,
    minuteAt: (at: number) => clock.at(at),
  };
}

export type TownHere = ReturnType<typeof useTown>;

export function entryOfLog(log: Log): Entry {
  return {
    key: `g${log.id}`, minute: minuteOfLog(log), id: log.character_id, with: log.target_character_id, type: log.action_type,
    text: log.description ?? '', said: log.action_name === 'conversation' ? (log.result ?? '') : '', about: '',
  };
}
