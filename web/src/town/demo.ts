// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A small town that lives in the browser alone, for where no town runs: everything about it is made
// up, and the page says so. It tells what happens in the server's words, so the map knows no difference.
import { DAY, type Happening, type Place, type Say, type Sky, type State, type Town } from './types';

const WALK_UNITS = 5;
export const DEMO_SPEED = 120;

export interface DemoWords {
  places: string[];
  names: string[];
  /** Action → what is said of it. */
  doing: Record<string, string>;
  lines: string[];
  /** "walks to …" */
  walk(place: string): string;
}

/** type, x, y, width, height, indoors: the original's demo. */
const PLACES: readonly (readonly [string, number, number, number, number, boolean])[] = [
  ['public', 200, 200, 60, 60, false], ['commercial', 100, 150, 30, 25, true], ['education', 300, 100, 50, 40, true],
  ['recreation', 350, 250, 80, 60, false], ['medical', 50, 300, 40, 50, true], ['government', 200, 50, 45, 35, true],
  ['residential', 100, 350, 60, 50, true], ['residential', 300, 350, 60, 50, true], ['commercial', 150, 280, 35, 30, true],
  ['workplace', 380, 150, 40, 60, true],
];

const DEEDS: Record<string, readonly string[]> = {
  residential: ['rest', 'sleep', 'eat', 'browse_posts'], workplace: ['work', 'work', 'browse_posts'],
  commercial: ['eat', 'talk_to', 'work'], education: ['think', 'work'], recreation: ['rest', 'talk_to', 'browse_posts'],
  public: ['talk_to', 'rest', 'create_post'], medical: ['work', 'rest'], government: ['work', 'wait'],
};
const WEATHER = ['sunny', 'cloudy', 'rainy', 'sunny', 'snowy', 'foggy'] as const;

/** Numbers below 1 that are the same for the same seed (mulberry32). */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

export class DemoTown {
  minute = 8 * 60;
  private throwDice: () => number;
  private places: Place[] = [];
  private states: State[] = [];
  /** Whose deed ends in which minute. */
  private ends = new Map<number, number[]>();

  constructor(private words: DemoWords, count: number, seed = 7) {
    this.throwDice = dice(seed);
    // A block of the ten places for every sixty people, side by side.
    const blocks = Math.max(1, Math.ceil(count / 60));
    const columns = Math.ceil(Math.sqrt(blocks));
    for (let block = 0; block < blocks; block++) {
      PLACES.forEach(([type, x, y, width, height, indoor], i) => {
        this.places.push({
          id: this.places.length + 1, name: words.places[i] ?? type, location_type: type, is_indoor: indoor, is_open: true, occupants: 0,
          x: x + (block % columns) * 450, y: y + Math.floor(block / columns) * 420, width, height,
        });
      });
    }
    for (let i = 0; i < count; i++) this.settle(i);
  }

  private settle(i: number): void {
    const place = this.places[Math.floor(this.throwDice() * this.places.length)]!;
    const name = this.words.names[i % this.words.names.length]!;
    const round = Math.floor(i / this.words.names.length);
    this.states.push({
      id: i + 1, name: round ? `${name} ${round + 1}` : name, x: place.x + place.width / 2, y: place.y + place.height / 2,
      location_id: place.id, action: 'idle', doing: '', since: this.minute, until: this.minute, emotion: 'neutral',
    });
    this.endAt(i, this.minute + 1 + Math.floor(this.throwDice() * 12));
  }

  private endAt(i: number, minute: number): void {
    const those = this.ends.get(minute);
    if (those) those.push(i);
    else this.ends.set(minute, [i]);
  }

  sky(): Sky {
    const day = Math.floor(this.minute / DAY) + 1;
    const hour = Math.floor((this.minute % DAY) / 60);
    return {
      minute: this.minute, day, hour, season: 'spring', time_of_day: hour < 6 || hour >= 20 ? 'night' : hour < 12 ? 'morning' : 'afternoon',
      weather: WEATHER[Math.floor(this.minute / 180) % WEATHER.length]!, temperature: { outdoor: 18, indoor: 22 },
    };
  }

  town(): Town {
    return { id: 0, topic: '', running: true, speed: DEMO_SPEED, ...this.sky(), locations: this.places, residents: this.states.map((one) => ({ ...one })) };
  }

  /** Lives on to `minute`. */
  go(minute: number): { happened: Happening[]; said: Say[] } {
    const happened: Happening[] = [];
    const said: Say[] = [];
    while (this.minute < minute) {
      this.minute++;
      const those = this.ends.get(this.minute);
      if (!those) continue;
      this.ends.delete(this.minute);
      for (const i of those) this.next(i, happened, said);
    }
    return { happened, said };
  }

  private next(i: number, happened: Happening[], said: Say[]): void {
    const state = this.states[i]!;
    if (state.to_location_id !== undefined) {
      state.location_id = state.to_location_id;
      state.to_location_id = undefined;
    }
    const here = this.places[(state.location_id ?? 1) - 1]!;
    if (this.throwDice() < 0.45) this.walk(i, state, here, happened);
    else this.stay(i, state, here, happened, said);
  }

  private walk(i: number, state: State, here: Place, happened: Happening[]): void {
    // Within its block or the next: nobody walks across a town of thousands.
    const near = Math.floor((here.id - 1) / PLACES.length) * PLACES.length;
    const to = this.places[near + Math.floor(this.throwDice() * PLACES.length)]!;
    if (to.id === here.id) return this.stay(i, state, here, happened, []);
    const minutes = Math.max(1, Math.round(Math.hypot(to.x - here.x, to.y - here.y) / WALK_UNITS / 2));
    state.location_id = null;
    state.to_location_id = to.id;
    this.begin(i, state, 'move_to', this.words.walk(to.name), minutes, happened);
  }

  private stay(i: number, state: State, here: Place, happened: Happening[], said: Say[]): void {
    const deeds = DEEDS[here.location_type] ?? ['rest'];
    const action = deeds[Math.floor(this.throwDice() * deeds.length)]!;
    this.begin(i, state, action, this.words.doing[action] ?? '', 8 + Math.floor(this.throwDice() * 30), happened);
    if (action !== 'talk_to' || this.words.lines.length === 0) return;
    const text = this.words.lines[Math.floor(this.throwDice() * this.words.lines.length)]!;
    said.push({ minute: this.minute, until: this.minute + 8, id: state.id, text });
  }

  private begin(i: number, state: State, action: string, doing: string, minutes: number, happened: Happening[]): void {
    Object.assign(state, { action, doing, since: this.minute, until: this.minute + minutes });
    this.endAt(i, state.until);
    happened.push({ what: 'began', minute: this.minute, id: state.id, action, doing, until: state.until, to_location_id: state.to_location_id });
  }
}
