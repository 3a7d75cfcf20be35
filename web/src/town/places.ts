// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What a place looks like, for the picture and for the sketch before it.
import type { MapLook } from './palette';
import type { Place } from './types';

/** How much of a place's colour is left when it is not open. */
export const SHUT = 0.55;
export const GROUND_ROUND = 24;

export function roundOf({ is_indoor, width, height }: Place): number {
  return Math.min(is_indoor ? 7 : 14, width / 3, height / 3);
}

export function colourOfPlace({ is_indoor, location_type }: Place, look: MapLook): number {
  if (!is_indoor) return location_type === 'recreation' ? look.park : look.green;
  return look.kinds[location_type] ?? look.other;
}

export function treesOf({ is_indoor, x, y, width, height }: Place): { x: number; y: number; radius: number }[] {
  return Array.from({ length: is_indoor ? 0 : 5 }, (_, tree) => (
    { x: x + width * (0.12 + 0.19 * tree), y: y + height * (tree % 2 ? 0.14 : 0.88), radius: Math.min(width, height) / 14 }));
}
