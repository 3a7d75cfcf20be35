// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What a browser calls itself, as people call it.

// The first that fits: most browsers name those they descend from as well.
const BROWSERS: [RegExp, string][] = [
  [/MicroMessenger\//, 'WeChat'],
  [/Edg(e|A|iOS)?\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/SamsungBrowser\//, 'Samsung Internet'],
  [/(Firefox|FxiOS)\//, 'Firefox'],
  [/(Chrome|CriOS)\//, 'Chrome'],
  [/Version\/.*Safari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/Windows NT/, 'Windows'],
  [/Android/, 'Android'],
  [/iPhone|iPod/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Mac OS X/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

export interface Client {
  browser: string;
  system: string;
  pocket: boolean;
}

/** null: no browser that we know; show what it says itself. */
export function clientOf(agent: string): Client | null {
  const find = (list: [RegExp, string][]): string | undefined => list.find(([sign]) => sign.test(agent))?.[1];
  const browser = find(BROWSERS);
  const system = find(SYSTEMS);
  if (!browser || !system) return null;
  return { browser, system, pocket: ['Android', 'iPhone', 'iPad'].includes(system) };
}
