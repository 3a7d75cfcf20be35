// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The languages of code that have colours, each a file of its own. The common ones; others stay plain.
import type { LanguageFn } from 'highlight.js';

const languages: Record<string, () => Promise<{ default: LanguageFn }>> = {
  bash: () => import('highlight.js/lib/languages/bash'),
  c: () => import('highlight.js/lib/languages/c'),
  cpp: () => import('highlight.js/lib/languages/cpp'),
  csharp: () => import('highlight.js/lib/languages/csharp'),
  css: () => import('highlight.js/lib/languages/css'),
  diff: () => import('highlight.js/lib/languages/diff'),
  dockerfile: () => import('highlight.js/lib/languages/dockerfile'),
  go: () => import('highlight.js/lib/languages/go'),
  ini: () => import('highlight.js/lib/languages/ini'),
  java: () => import('highlight.js/lib/languages/java'),
  javascript: () => import('highlight.js/lib/languages/javascript'),
  json: () => import('highlight.js/lib/languages/json'),
  kotlin: () => import('highlight.js/lib/languages/kotlin'),
  lua: () => import('highlight.js/lib/languages/lua'),
  makefile: () => import('highlight.js/lib/languages/makefile'),
  markdown: () => import('highlight.js/lib/languages/markdown'),
  php: () => import('highlight.js/lib/languages/php'),
  python: () => import('highlight.js/lib/languages/python'),
  ruby: () => import('highlight.js/lib/languages/ruby'),
  rust: () => import('highlight.js/lib/languages/rust'),
  sql: () => import('highlight.js/lib/languages/sql'),
  swift: () => import('highlight.js/lib/languages/swift'),
  typescript: () => import('highlight.js/lib/languages/typescript'),
  xml: () => import('highlight.js/lib/languages/xml'),
  yaml: () => import('highlight.js/lib/languages/yaml'),
};
/** What else they are called above a block of code. Of those that are learnt highlight.js knows it, too late for us. */
const OTHER: Record<string, string> = {
  sh: 'bash', zsh: 'bash', h: 'c', 'c++': 'cpp', cc: 'cpp', hpp: 'cpp', hh: 'cpp', cxx: 'cpp', hxx: 'cpp', 'h++': 'cpp', cs: 'csharp', 'c#': 'csharp',
  patch: 'diff', docker: 'dockerfile', golang: 'go', toml: 'ini', jsp: 'java', js: 'javascript', jsx: 'javascript', mjs: 'javascript', cjs: 'javascript',
  jsonc: 'json', json5: 'json', kt: 'kotlin', kts: 'kotlin', pluto: 'lua', mk: 'makefile', mak: 'makefile', make: 'makefile', md: 'markdown', mkdown: 'markdown',
  mkd: 'markdown', py: 'python', gyp: 'python', ipython: 'python', rb: 'ruby', gemspec: 'ruby', podspec: 'ruby', thor: 'ruby', irb: 'ruby', rs: 'rust',
  ts: 'typescript', tsx: 'typescript', mts: 'typescript', cts: 'typescript', html: 'xml', xhtml: 'xml', rss: 'xml', atom: 'xml', xjb: 'xml',
  xsd: 'xml', xsl: 'xml', plist: 'xml', wsf: 'xml', svg: 'xml', yml: 'yaml',
};
/** What stands in the middle of others. */
const INNER: Record<string, string[]> = { xml: ['css', 'javascript'], markdown: ['xml'], php: ['xml'], dockerfile: ['bash'] };

/** What the language above a block of code is called here; undefined: there are no colours for it. */
export function nameOf(called: string): string | undefined {
  const small = called.toLowerCase();
  const name = Object.hasOwn(OTHER, small) ? OTHER[small]! : small;
  return Object.hasOwn(languages, name) ? name : undefined;
}

/** The rules of one, and of those inside of it. */
export async function rulesOf(name: string): Promise<[string, LanguageFn][]> {
  const inner = (INNER[name] ?? []).map(rulesOf);
  const { default: rules } = await languages[name]!();
  return [...(await Promise.all(inner)).flat(), [name, rules]];
}
