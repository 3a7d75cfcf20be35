// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Who is where, at every moment between two words of the server. Only numbers in arrays are touched
// while somebody walks: nothing is allocated in a frame.
import { around, type Box } from './camera';
import type { Happening, Place, State, Town } from './types';

export interface Person {
  id: number;
  name: string;
  action: string;
  doing: string;
  since: number;
  until: number;
  /** Where it is; null on the way, or before a door. */
  place: number | null;
  /** Where it walks to. */
  to: number | null;
  with: number | null;
  emotion: string;
}

const MARGIN = 40;
/** How far a way bends from the straight line, of its length. */
const BEND = 0.08;

const part = (value: number): number => value - Math.floor(value);

/** Where somebody stands in a place: steps of the plastic number, so that neighbours' ids lie far apart. */
export function spotX(place: Box, id: number): number {
  return place.x + place.width * (0.12 + 0.76 * part(id * 0.7548776662466927));
}

export function spotY(place: Box, id: number): number {
  return place.y + place.height * (0.2 + 0.68 * part(id * 0.5698402909980532));
}

export class TownModel {
  places: Place[] = [];
  placeById = new Map<number, Place>();
  people: Person[] = [];
  indexById = new Map<number, number>();
  bounds: Box = around([], MARGIN);
  /** Where everybody is now. */
  x = new Float32Array(0);
  y = new Float32Array(0);
  /** Who walks: indexes, the first `moverCount` of them. */
  movers = new Int32Array(0);
  moverCount = 0;
  /** How many have arrived, ever: who looks again knows that somebody has. */
  arrivals = 0;
  private moverAt = new Int32Array(0);
  private fromX = new Float32Array(0);
  private fromY = new Float32Array(0);
  private toX = new Float32Array(0);
  private toY = new Float32Array(0);
  private begins = new Float64Array(0);
  private ends = new Float64Array(0);

  /** Everything anew, at the snapshot's minute. */
  load(town: Pick<Town, 'locations' | 'residents' | 'minute'>): void {
    this.places = town.locations;
    this.placeById = new Map(town.locations.map((place) => [place.id, place]));
    this.bounds = around(town.locations, MARGIN);
    const count = town.residents.length;
    this.indexById = new Map(town.residents.map((one, i) => [one.id, i]));
    const old = { ids: this.people.map((one) => one.id), x: this.x, y: this.y };
    const same = old.ids.length === count && town.residents.every((one, i) => one.id === old.ids[i]);
    this.people = town.residents.map(personOf);
    for (const name of ['x', 'y', 'fromX', 'fromY', 'toX', 'toY'] as const) this[name] = new Float32Array(count);
    this.begins = new Float64Array(count);
    this.ends = new Float64Array(count);
    this.movers = new Int32Array(count);
    this.moverAt = new Int32Array(count).fill(-1);
    this.moverCount = 0;
    town.residents.forEach((state, i) => {
      this.place(i, state, town.minute);
      // Who is on the way and was seen before goes on from where it was seen.
      if (same && this.moverAt[i]! >= 0 && Math.hypot(old.x[i]! - this.x[i]!, old.y[i]! - this.y[i]!) < 60) {
        this.fromX[i] = old.x[i]!;
        this.fromY[i] = old.y[i]!;
      }
    });
  }

  /** As load() takes it: everybody as they are now. */
  snapshot(minute: number): Pick<Town, 'locations' | 'residents' | 'minute'> {
    const residents = this.people.map((one, i) => ({
      id: one.id, name: one.name, action: one.action, doing: one.doing, since: one.since, until: one.until, location_id: one.place,
      to_location_id: one.to ?? undefined, with_id: one.with ?? undefined, emotion: one.emotion, x: this.x[i]!, y: this.y[i]!,
    }));
    return { locations: this.places, residents, minute };
  }

  private place(i: number, state: State, minute: number): void {
    const place = state.location_id === null ? undefined : this.placeById.get(state.location_id);
    this.x[i] = place ? spotX(place, state.id) : state.x;
    this.y[i] = place ? spotY(place, state.id) : state.y;
    const to = this.placeById.get(state.to_location_id ?? -1);
    if (to && state.until > minute) this.walk(i, to, minute, state.until);
    else this.stand(i);
  }

  private walk(i: number, to: Place, since: number, until: number): void {
    const id = this.people[i]!.id;
    this.fromX[i] = this.x[i]!;
    this.fromY[i] = this.y[i]!;
    this.toX[i] = spotX(to, id);
    this.toY[i] = spotY(to, id);
    this.begins[i] = since;
    this.ends[i] = until;
    if (this.moverAt[i]! >= 0) return;
    this.moverAt[i] = this.moverCount;
    this.movers[this.moverCount++] = i;
  }

  private stand(i: number): void {
    const at = this.moverAt[i]!;
    if (at < 0) return;
    const last = this.movers[--this.moverCount]!;
    this.movers[at] = last;
    this.moverAt[last] = at;
    this.moverAt[i] = -1;
  }

  isMoving(i: number): boolean {
    return this.moverAt[i]! >= 0;
  }

  goalX(i: number): number {
    return this.toX[i]!;
  }

  goalY(i: number): number {
    return this.toY[i]!;
  }

  /** Everybody who walks is where they are at `minute`; who has come to the end is in. True: somebody walks. */
  advance(minute: number): boolean {
    for (let at = this.moverCount - 1; at >= 0; at--) {
      const i = this.movers[at]!;
      const lasts = this.ends[i]! - this.begins[i]!;
      const gone = lasts > 0 ? Math.min(1, Math.max(0, (minute - this.begins[i]!) / lasts)) : 1;
      const dx = this.toX[i]! - this.fromX[i]!;
      const dy = this.toY[i]! - this.fromY[i]!;
      const bend = BEND * 4 * gone * (1 - gone) * (i & 1 ? 1 : -1);
      this.x[i] = this.fromX[i]! + dx * gone - dy * bend;
      this.y[i] = this.fromY[i]! + dy * gone + dx * bend;
      if (gone < 1) continue;
      const person = this.people[i]!;
      person.place = person.to;
      person.to = null;
      this.stand(i);
      this.arrivals++;
    }
    return this.moverCount > 0;
  }

  /** Index of whom this is about, or -1 when it changes nobody. */
  hear(what: Happening): number {
    const i = what.id === undefined ? undefined : this.indexById.get(what.id);
    if (i === undefined) return -1;
    const person = this.people[i]!;
    if (what.what === 'woke') {
      person.action = 'idle';
      person.doing = '';
      return i;
    }
    if (what.what !== 'began') return -1;
    // It was still on its way by our clock: the server knows that it has arrived.
    if (this.isMoving(i)) {
      person.place = person.to;
      this.stand(i);
      if (what.action !== 'move_to') {
        this.x[i] = this.toX[i]!;
        this.y[i] = this.toY[i]!;
      }
    }
    person.action = what.action ?? 'idle';
    person.doing = what.doing ?? '';
    person.since = what.minute;
    person.until = what.until ?? what.minute;
    person.with = what.with_id ?? null;
    person.to = null;
    const to = this.placeById.get(what.to_location_id ?? -1);
    if (person.action === 'move_to' && to) {
      person.to = to.id;
      person.place = null;
      this.walk(i, to, what.minute, person.until);
    }
    return i;
  }

  /** How many are in each place. */
  occupants(): Map<number, number> {
    const count = new Map<number, number>();
    for (const { place } of this.people) if (place !== null) count.set(place, (count.get(place) ?? 0) + 1);
    return count;
  }

  placeAt(wx: number, wy: number): Place | null {
    return this.places.find((one) => wx >= one.x && wy >= one.y && wx <= one.x + one.width && wy <= one.y + one.height) ?? null;
  }
}

/** Whose dots are at most `reach` away from the point, the nearest first. */
export function within(x: Float32Array, y: Float32Array, wx: number, wy: number, reach: number): number[] {
  const found: { i: number; away: number }[] = [];
  for (let i = 0; i < x.length; i++) {
    const away = (x[i]! - wx) ** 2 + (y[i]! - wy) ** 2;
    if (away <= reach * reach) found.push({ i, away });
  }
  return found.sort((a, b) => a.away - b.away).map(({ i }) => i);
}

/** Whom a tap is for: the nearest, or, where several stand in one place, whoever comes after the one it was for before. */
export function nextOf(near: number[], before: number): number | undefined {
  return near[(near.indexOf(before) + 1) % near.length];
}

function personOf(state: State): Person {
  return {
    id: state.id, name: state.name, action: state.action, doing: state.doing, since: state.since, until: state.until,
    place: state.location_id, to: state.to_location_id ?? null, with: state.with_id ?? null, emotion: state.emotion,
  };
}
