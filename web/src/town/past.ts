// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Where everybody was at a minute, by the action log. A log entry says when a deed began, how long
// it took, and where: for a walk, where it led to. Between two entries somebody stays where they were.
import type { Box } from './camera';
import { spotX, spotY, type TownModel } from './model';
import { DAY, type Log } from './types';

interface Stay {
  from: number;
  until: number;
  moves: boolean;
  place: number;
  doing: string;
  action: string;
}

export interface Moment {
  x: number;
  y: number;
  place: number | null;
  doing: string;
  action: string;
  /** Nothing is known of this minute. */
  unknown: boolean;
}

export function minuteOfLog(log: Pick<Log, 'game_day' | 'game_time'>): number {
  const [hours = 0, minutes = 0] = (log.game_time ?? '').split(':').map(Number);
  return (log.game_day - 1) * DAY + hours * 60 + minutes;
}

export class Past {
  private tracks = new Map<number, Stay[]>();
  /** The oldest minute that something is known of. */
  oldest = Infinity;

  constructor(logs: readonly Log[]) {
    for (const log of logs) {
      // What is told beside the deeds (a like, the words of a talk) says nothing about the way.
      if (log.location_id === null || !log.success) continue;
      const from = minuteOfLog(log);
      this.add(log.character_id, {
        from, until: from + log.duration, moves: log.action_type === 'move', place: log.location_id,
        doing: log.description ?? '', action: log.action_name,
      });
    }
    for (const track of this.tracks.values()) track.sort((a, b) => a.from - b.from || a.until - b.until);
  }

  /** What goes on now is in no log yet. */
  addNow(model: TownModel): void {
    for (const person of model.people) {
      const place = person.to ?? person.place;
      if (place === null) continue;
      this.add(person.id, {
        from: person.since, until: person.until, moves: person.to !== null, place, doing: person.doing, action: person.action,
      });
    }
  }

  private add(id: number, stay: Stay): void {
    const track = this.tracks.get(id);
    if (track) track.push(stay);
    else this.tracks.set(id, [stay]);
    this.oldest = Math.min(this.oldest, stay.from);
  }

  at(id: number, minute: number, places: ReadonlyMap<number, Box>): Moment | null {
    const track = this.tracks.get(id);
    if (!track) return null;
    let i = lastBefore(track, minute);
    const unknown = i < 0;
    // Before the first entry: where that began, if it was no walk.
    if (unknown) i = 0;
    const stay = track[i]!;
    const to = places.get(stay.place);
    if (!to) return null;
    const there = { x: spotX(to, id), y: spotY(to, id), place: stay.place, doing: '', action: 'idle', unknown };
    if (unknown) return there;
    if (minute < stay.until) {
      there.doing = stay.doing;
      there.action = stay.action;
      if (stay.moves) return between(there, stay, track, i, id, minute, places);
    }
    return there;
  }
}

function between(there: Moment, stay: Stay, track: Stay[], i: number, id: number, minute: number, places: ReadonlyMap<number, Box>): Moment {
  const from = i > 0 ? places.get(track[i - 1]!.place) : undefined;
  if (!from) return there;
  const gone = (minute - stay.from) / (stay.until - stay.from);
  const x = spotX(from, id);
  const y = spotY(from, id);
  return { ...there, x: x + (there.x - x) * gone, y: y + (there.y - y) * gone, place: null };
}

/** Index of the last that has begun by `minute`; -1: none. */
function lastBefore(track: readonly Stay[], minute: number): number {
  let low = 0;
  let high = track.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track[middle]!.from <= minute) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Where to draw everybody at `minute`, and what each did; who is not known of stands outside of the map. */
export function everybodyAt(past: Past, model: TownModel, minute: number): { x: Float32Array; y: Float32Array; moments: (Moment | null)[] } {
  const count = model.people.length;
  const x = new Float32Array(count).fill(NOWHERE);
  const y = new Float32Array(count).fill(NOWHERE);
  const moments = model.people.map(({ id }, i) => {
    const moment = past.at(id, minute, model.placeById);
    if (moment) {
      x[i] = moment.x;
      y[i] = moment.y;
    }
    return moment;
  });
  return { x, y, moments };
}

const NOWHERE = -1e6;
