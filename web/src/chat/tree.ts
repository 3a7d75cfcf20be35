// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What was said is a tree of turns: an edited question and another answer are branches. A reader
// sees one line of it.
import type { ChatTurn } from '@/api/client';

export interface Place {
  turn: ChatTurn;
  /** The ids of all turns that could stand here, oldest first, this one among them. */
  beside: number[];
}

/** The parent of what begins a conversation. */
export const BEGINNING = 0;

/**
 * From the beginning to an end. `chosen`: parent → which of its branches; where nothing was chosen,
 * or it is not there (any more), the branch with the newest turn in it.
 */
export function lineOf(turns: Iterable<ChatTurn>, chosen: ReadonlyMap<number, number> = new Map()): Place[] {
  // A turn is always younger than its parent, so in this order every parent comes before its branches.
  const sorted = [...turns].sort((a, b) => a.id - b.id);
  const branches = new Map<number, ChatTurn[]>();
  for (const turn of sorted) {
    const beside = branches.get(turn.parent);
    if (beside) beside.push(turn);
    else branches.set(turn.parent, [turn]);
  }
  const newest = new Map<number, number>();
  for (const turn of sorted.reverse()) {
    const here = Math.max(turn.id, newest.get(turn.id) ?? 0);
    newest.set(turn.id, here);
    newest.set(turn.parent, Math.max(here, newest.get(turn.parent) ?? 0));
  }
  const line: Place[] = [];
  for (let at = BEGINNING, all = branches.get(at); all; all = branches.get(at)) {
    const turn =
      all.find(({ id }) => id === chosen.get(at)) ??
      all.reduce((best, one) => ((newest.get(one.id) ?? 0) > (newest.get(best.id) ?? 0) ? one : best));
    line.push({ turn, beside: all.map(({ id }) => id) });
    at = turn.id;
  }
  return line;
}

/** Choose the branches that lead to this turn. */
export function chooseTo(turns: ReadonlyMap<number, ChatTurn>, id: number, chosen: Map<number, number>): void {
  for (let turn = turns.get(id); turn; turn = turns.get(turn.parent)) chosen.set(turn.parent, turn.id);
}
