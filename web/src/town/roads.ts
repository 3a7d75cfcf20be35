// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Ways between the places, only to look at: the shortest net that joins them all (Prim), so the
// ground does not look empty. Nobody is held to them.
import type { Box } from './camera';

export function roads<T extends Box>(places: readonly T[]): [T, T][] {
  const count = places.length;
  const nearest = new Float64Array(count).fill(Infinity);
  const through = new Int32Array(count);
  const joined = new Uint8Array(count);
  const found: [T, T][] = [];
  let last = 0;
  joined[0] = 1;
  for (let step = 1; step < count; step++) {
    let next = -1;
    for (let i = 0; i < count; i++) {
      if (joined[i]) continue;
      const away = distance(places[i]!, places[last]!);
      if (away < nearest[i]!) {
        nearest[i] = away;
        through[i] = last;
      }
      if (next < 0 || nearest[i]! < nearest[next]!) next = i;
    }
    joined[next] = 1;
    found.push([places[through[next]!]!, places[next]!]);
    last = next;
  }
  return found;
}

function distance(a: Box, b: Box): number {
  return Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2);
}
