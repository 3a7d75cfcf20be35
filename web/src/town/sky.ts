// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The colour of the light: what lies under it is multiplied with it.
import { DAY } from './types';

/** Minute of the day, and red, green, blue of the light then. */
const LIGHT: readonly (readonly [number, number, number, number])[] = [
  [0, 104, 118, 170],
  [290, 104, 118, 170],
  [370, 238, 206, 190],
  [450, 255, 255, 255],
  [1010, 255, 255, 255],
  [1110, 252, 214, 174],
  [1180, 172, 158, 200],
  [1260, 110, 122, 174],
  [DAY, 104, 118, 170],
];

/** 0xRRGGBB. `strength` 1 is all of it, 0 white; a dark look needs less. */
export function lightAt(minute: number, strength = 1): number {
  const of = ((minute % DAY) + DAY) % DAY;
  let i = 1;
  while (i < LIGHT.length - 1 && LIGHT[i]![0] <= of) i++;
  const from = LIGHT[i - 1]!;
  const to = LIGHT[i]!;
  const part = (of - from[0]) / (to[0] - from[0]);
  let colour = 0;
  for (let channel = 1; channel <= 3; channel++) {
    const light = from[channel]! + (to[channel]! - from[channel]!) * part;
    colour = colour * 256 + Math.round(255 - (255 - light) * strength);
  }
  return colour;
}

/** Lamps are lit. */
export function isNight(minute: number): boolean {
  const of = ((minute % DAY) + DAY) % DAY;
  return of < 360 || of >= 1170;
}
