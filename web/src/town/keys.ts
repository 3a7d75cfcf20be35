// SPDX-License-Identifier: AGPL-3.0-or-later

/** The keys of the map, and the name of what each does in the sentences (town.keys). */
export const TOWN_KEYS: [string, string][] = [
  ['← ↑ ↓ →', 'pan'], ['+ −', 'zoom'], ['F', 'fit'], ['R', 'reset'], ['G', 'grid'], ['L', 'names'], ['I', 'card'], ['D', 'debug'], ['Esc', 'none'], ['?', 'help'],
];
