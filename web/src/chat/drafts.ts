// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Questions that were written and not sent, per conversation; 0 is the one that has not begun.
const name = (chat: number): string => `hutong.draft.chat.${chat}`;

export function draftOf(chat: number): string {
  return localStorage.getItem(name(chat)) ?? '';
}

export function keepDraft(chat: number, text: string): void {
  if (text) localStorage.setItem(name(chat), text);
  else localStorage.removeItem(name(chat));
}
