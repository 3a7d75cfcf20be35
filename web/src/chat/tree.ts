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

/** About how high a turn is shown, in pixels: words of a question and of an answer in lines of usual width. */
export function sizeOf({ role, content }: ChatTurn): number {
  return role === 'user' ? 80 + 26 * Math.floor(content.length / 75) : 64 + 28 * Math.ceil(content.length / 80);
}

/** The same place as before, where nothing of it has changed: what shows it is not made anew. */
function placeOf(turn: ChatTurn, beside: number[], before: Place | undefined): Place {
  const same = before?.turn === turn && before.beside.length === beside.length && beside.every((id, i) => id === before.beside[i]);
  return same ? before : { turn, beside };
}

/**
 * From the beginning to an end; where what came before is not here (yet), from the oldest that is. `chosen`: parent → which of its branches; where nothing was chosen,
 * or it is not there (any more), the branch with the newest turn in it. `before`: the line as it was.
 */
export function lineOf(turns: Iterable<ChatTurn>, chosen: ReadonlyMap<number, number> = new Map(), before: Place[] = []): Place[] {
  // A turn is always younger than its parent, so in this order every parent comes before its branches.
  const sorted = Array.from(turns, (turn) => ({ id: turn.id, parent: turn.parent, turn })).sort((a, b) => a.id - b.id);
  const branches = new Map<number, typeof sorted>();
  for (const one of sorted) {
    const beside = branches.get(one.parent);
    if (beside) beside.push(one);
    else branches.set(one.parent, [one]);
  }
  const newest = new Map<number, number>();
  for (const { id, parent } of sorted.reverse()) {
    const here = Math.max(id, newest.get(id) ?? 0);
    newest.set(id, here);
    newest.set(parent, Math.max(here, newest.get(parent) ?? 0));
  }
  const known = new Set(sorted.map(({ id }) => id));
  // Below which of the parents that are not here, the beginning among them: as chosen, else where the newest turn is.
  const rank = (parent: number): number =>
    (newest.get(parent) ?? 0) + (branches.get(parent)?.some(({ id }) => id === chosen.get(parent)) ? Number.MAX_SAFE_INTEGER / 2 : 0);
  const first = [...branches.keys()].filter((parent) => !known.has(parent)).reduce((best, parent) => (rank(parent) > rank(best) ? parent : best), BEGINNING);
  const line: Place[] = [];
  for (let at = first, all = branches.get(at); all; all = branches.get(at)) {
    const { turn, id } =
      all.find((one) => one.id === chosen.get(at)) ??
      all.reduce((best, one) => ((newest.get(one.id) ?? 0) > (newest.get(best.id) ?? 0) ? one : best));
    line.push(placeOf(turn, all.map((one) => one.id), before[line.length]));
    at = id;
  }
  return line;
}

/** Choose the branches that lead to this turn. */
export function chooseTo(turns: ReadonlyMap<number, ChatTurn>, id: number, chosen: Map<number, number>): void {
  for (let turn = turns.get(id); turn; turn = turns.get(turn.parent)) chosen.set(turn.parent, turn.id);
}
