// SPDX-License-Identifier: AGPL-3.0-or-later

/** An input method is at work: its Enter and arrows are its own. (229: Safari, which ends composing before the key.) */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}
