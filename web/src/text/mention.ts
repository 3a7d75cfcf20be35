// SPDX-License-Identifier: AGPL-3.0-or-later

/** The @name that somebody is writing, when the caret stands right behind a part of one. */
export function mentionAt(text: string, caret: number): { from: number; to: number; name: string } | null {
  const found = /(?:^|[^\p{L}\p{N}_@./])(@([\p{L}\p{N}_.-]{1,50}))$/u.exec(text.slice(0, caret));
  if (!found) return null;
  const from = caret - found[1]!.length;
  const rest = /^[\p{L}\p{N}_.-]*/u.exec(text.slice(caret))![0];
  return { from, to: caret + rest.length, name: found[2]! };
}

/** The #word that somebody is writing; `name` is empty right behind the #. */
export function tagAt(text: string, caret: number): { from: number; to: number; name: string } | null {
  const found = /(?:^|[^\p{L}\p{N}_#&/])(#([\p{L}\p{N}_]{0,50}))$/u.exec(text.slice(0, caret));
  if (!found) return null;
  const from = caret - found[1]!.length;
  const rest = /^[\p{L}\p{N}_]*/u.exec(text.slice(caret))![0];
  return { from, to: caret + rest.length, name: found[2]! };
}
