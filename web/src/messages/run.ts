// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Messages of one conversation in the order of their ids, which is the order in which they were said.
import type { Message } from '@/api/client';

/** Where `id` is, or would be. */
export function indexOf(run: readonly Message[], id: number): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (run[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Both together, each message once; where both have one, it is as `more` has it. */
export function merge(run: readonly Message[], more: readonly Message[]): Message[] {
  if (!run.length) return [...more];
  if (!more.length) return [...run];
  // Nearly always it goes at one of the ends.
  if (run.at(-1)!.id < more[0]!.id) return [...run, ...more];
  if (more.at(-1)!.id < run[0]!.id) return [...more, ...run];
  const all = new Map(run.map((message) => [message.id, message]));
  for (const message of more) all.set(message.id, message);
  return [...all.values()].sort((a, b) => a.id - b.id);
}

export function without(run: readonly Message[], id: number): readonly Message[] {
  const at = indexOf(run, id);
  return run[at]?.id === id ? [...run.slice(0, at), ...run.slice(at + 1)] : run;
}
