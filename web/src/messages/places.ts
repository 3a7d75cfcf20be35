// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Where one talks: with a member, or in a group.

export interface Place {
  kind: 'member' | 'group';
  id: number;
}

/** Its page, and its name in this browser's store: "/m/7", "/g/5". */
export function pathOf({ kind, id }: Place): string {
  return `/${kind === 'member' ? 'm' : 'g'}/${id}`;
}

export function placeOf(path: string): Place | null {
  const found = /^\/([mg])\/(\d+)$/.exec(path);
  return found && { kind: found[1] === 'm' ? 'member' : 'group', id: Number(found[2]) };
}
