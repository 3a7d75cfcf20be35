// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the server tells of the town (docs/town.md, docs/live.md), as the map reads it.
import type { Schemas } from '@/api/client';

/** `models` is for who runs the town, not for a map. */
export type Town = Omit<Schemas['Town'], 'temperature' | 'models'> & { temperature: { outdoor?: number; indoor?: number } };
export type Place = Schemas['TownPlace'];
export type State = Schemas['TownState'];
export type Resident = Omit<Schemas['TownResident'], 'needs'> & { needs: Record<string, number>; goals?: string };
export type Log = Schemas['ActionLog'];

/** One thing of `town.happened`. */
export interface Happening {
  what: 'began' | 'talk' | 'met' | 'woke' | 'sky' | 'came' | 'left';
  minute: number;
  id?: number;
  with_id?: number;
  action?: string;
  doing?: string;
  until?: number;
  to_location_id?: number;
  about?: string;
}

/** The clock and the sky, as GET /town and every `town.happened` have them. */
export type Sky = Pick<Town, 'minute' | 'day' | 'hour' | 'season' | 'time_of_day' | 'weather' | 'temperature'>;

/** One turn of a talk. */
export interface Say {
  minute: number;
  until: number;
  id: number;
  with_id?: number;
  text: string;
}

export const DAY = 1440;

/** The log's types; deeds are logged under these (src/town/deed.c). */
export const LOG_TYPES = ['move', 'talk', 'encounter', 'work', 'eat', 'rest', 'sleep', 'wake_up', 'post', 'like',
  'comment', 'message', 'use_phone', 'think', 'other'] as const;

const TYPE_OF_DEED: Record<string, string> = {
  move_to: 'move', talk_to: 'talk', greet: 'talk', rest: 'rest', sleep: 'sleep', eat: 'eat', work: 'work', think: 'think',
  browse_posts: 'use_phone', view_user_profile: 'use_phone', follow: 'use_phone', create_post: 'post',
  check_messages: 'message', send_message: 'message', use_phone: 'use_phone',
};

export function typeOf(happening: Pick<Happening, 'what' | 'action'>): string {
  if (happening.what === 'talk') return 'talk';
  if (happening.what === 'met') return 'encounter';
  if (happening.what === 'woke') return 'wake_up';
  return TYPE_OF_DEED[happening.action ?? ''] ?? 'other';
}

/** What is drawn beside somebody: small pictures of these, in this order in the atlas. */
export const ICONS = ['talk', 'sleep', 'eat', 'work', 'phone', 'think', 'rest'] as const;

/** Index in ICONS, or -1 for what needs no picture. */
export function iconOf(action: string): number {
  const type = TYPE_OF_DEED[action] ?? '';
  if (type === 'use_phone' || type === 'post' || type === 'message') return ICONS.indexOf('phone');
  return ICONS.indexOf(type as (typeof ICONS)[number]);
}

/** "08:05" of a game minute. */
export function clockOf(minute: number): string {
  const of = ((Math.floor(minute) % DAY) + DAY) % DAY;
  return `${String(Math.floor(of / 60)).padStart(2, '0')}:${String(of % 60).padStart(2, '0')}`;
}

/** Days are counted from 1. */
export function dayOf(minute: number): number {
  return Math.floor(minute / DAY) + 1;
}
