// SPDX-License-Identifier: AGPL-3.0-or-later

/** A name that nothing else has: 128 random bits. (crypto.randomUUID is absent on plain http.) */
export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
