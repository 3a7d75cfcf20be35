// SPDX-License-Identifier: AGPL-3.0-or-later
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const source = (name: string): string => readFileSync(new URL(`../src/${name}`, import.meta.url), 'utf8');

describe('what is sent for before the app runs', () => {
  it('is the page that the router shows there', () => {
    const routed = [...source('router.ts').matchAll(/path: '\/([^'/]*)([^']*)'.*import\('\.\/pages\/(\w+)\.vue'\)/g)].filter(([, first]) => !first!.startsWith(':'));
    expect(routed.length).toBeGreaterThan(15);
    const table = /PAGES[^{]+{([^}]+)}/.exec(source('boot.ts'))![1]!;
    const sent = Object.fromEntries([...table.matchAll(/(\w+|''): '(\w+)'/g)].map(([, first, page]) => [first === "''" ? '' : first, page]));
    for (const [, first, rest, page] of routed) {
      if (first === 'w' && !rest) continue; // the one that is told from its first part alone
      expect(sent[first!.replace(/:.*/, '')], `/${first}${rest}`).toBe(page);
    }
  });
});
