// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The server's sentences in Chinese: that none is missing, none is left over, and each is found again.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { englishOf } from '../src/i18n/english';
import { numbersOf, translator, type Catalogue } from '../src/i18n/formats';
import { ApiError } from '../src/api/client';
import { sentenceOf } from '../src/text/faults';
import { allLiterals, everyLiteral, LEFT_OUT, literalsOf, sentences } from './sentences';

const folder = fileURLToPath(new URL('../src/i18n/zh-CN/server', import.meta.url));
const read = (file: string): [string, string][] =>
  Object.entries(JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Record<string, string>);
const SPECIAL = ['names.json', 'of-fields.json'];
const rows = readdirSync(folder).filter((file) => file.endsWith('.json') && !SPECIAL.includes(file)).flatMap(read);
const ofFields = read('of-fields.json');
const names = read('names.json');
const catalogue: Catalogue = { sentences: Object.fromEntries(rows), ofFields: Object.fromEntries(ofFields), names: Object.fromEntries(names) };
const chinese = translator(catalogue);
const said = sentences();
const inSource = new Set(said.map(({ text }) => englishOf(text).english));

describe('the catalogue', () => {
  test('has every sentence that the app can show', () => {
    const known = new Set([...rows, ...ofFields].map(([format]) => format));
    const missing = said.filter(({ text }) => !known.has(englishOf(text).english)).map(({ file, line, text }) => `${file}:${line}: ${text}`);
    expect(missing, 'translate these in web/src/i18n/zh-CN/server/, or leave them out in web/tests/sentences.ts with the reason').toEqual([]);
  });
  test('has none that the server no longer says', () => {
    expect([...rows, ...ofFields].map(([format]) => format).filter((format) => !inSource.has(format))).toEqual([]);
  });
  test('says each once', () => {
    const formats = [...rows, ...ofFields].map(([format]) => format);
    expect(formats.filter((format, i) => formats.indexOf(format) !== i)).toEqual([]);
  });
  test('says in Chinese all that was put into a sentence, once', () => {
    const numbers = (says: string): number[] => [...says.matchAll(/(?<!\{)\{(\d)\}/g)].map(([, number]) => Number(number)).sort();
    for (const [format, says] of rows) expect([format, numbers(says)]).toEqual([format, numbersOf(format).sort()]);
    for (const [format, says] of [...ofFields, ...names]) expect([format, numbers(says)]).toEqual([format, []]);
  });
  test('is in Chinese', () => {
    for (const [format, says] of [...rows, ...ofFields, ...names]) expect([format, says]).toEqual([format, expect.stringMatching(/\p{Script=Han}/u)]);
  });
  test('names only fields that there are', () => {
    const words = new Set(names.map(([name]) => name));
    for (const { text } of everyLiteral()) words.delete(text);
    expect([...words]).toEqual([]);
  });
  test('leaves nothing out for a reason that is gone', () => {
    const all = allLiterals();
    const idle = LEFT_OUT.filter(
      ({ files, calls, codes, texts }) =>
        !all.some((one) => (files?.test(one.file) ?? true) && (!calls || one.calls.some((name) => calls.test(name))) && (codes?.test(one.code) ?? true) && (texts?.test(one.text) ?? true)),
    );
    expect(idle.map(({ why }) => why)).toEqual([]);
  });
});

test('too much at once is over after a while, too much altogether is not', () => {
  const say = (key: string, named?: Record<string, unknown>): string => `${key} ${named?.seconds ?? ''}`;
  const keys = 'you have 20 keys already: revoke one first';
  expect(sentenceOf(new ApiError(429, 'too many requests: try again in 7 s', {}, 7), say)).toBe('fault.tooMany 7');
  expect(sentenceOf(new ApiError(429, keys), say)).toBe(keys);
  expect(sentenceOf(new ApiError(429, ''), say)).toBe('fault.tooMany 60');
});

/** These show what is no sentence of the server: what members wrote, what the town says, what sentenceOf() gave. */
const OTHERS = ['TownLists.vue: row.note', 'KnowsChoice.vue: note', 'ReportDialog.vue: wrong', 'NewChatDialog.vue: wrong'];

test('whatever shows what the server said shows it through serverSays()', () => {
  const root = fileURLToPath(new URL('../src', import.meta.url));
  const around = (readdirSync(root, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.vue'))
    .flatMap((file) => [...readFileSync(path.join(root, file), 'utf8').matchAll(/\{\{([^}]+)\}\}/g)].map(([, shown]) => ({ file: path.basename(file), shown: shown!.trim() })))
    .filter(({ shown }) => /^(\w+\.)*(detail|note|error|spent|refused)$|\.(detail|spent)\b|(?<!')\bwrong\b/.test(shown) && !shown.includes('serverSays('))
    .map(({ file, shown }) => `${file}: ${shown}`);
  expect(around.sort()).toEqual([...OTHERS].sort());
});

/** What a format becomes with something in every place. */
function example(format: string): { text: string; put: string[] } {
  const put: string[] = [];
  const text = format.replace(/%%|%([12])(?![.\d]*[a-zA-Z])|%[-+ #0]*[\d*]*(?:\.[\d*]*)?(?:ll|z|l|h)?([a-zA-Z])/g, (all, own?: string, kind?: string) => {
    if (all === '%%') return '%';
    const value = own || kind === 's' ? `wort${own ?? put.length + 1}` : String(100 + put.length);
    put.push(value);
    return value;
  });
  return { text, put };
}

describe('a sentence of the server', () => {
  test('is found again, whatever stands in it', () => {
    for (const [format] of rows) {
      const { text, put } = example(format);
      const answer = chinese(text) ?? '';
      expect([text, answer]).toEqual([text, expect.stringMatching(/\p{Script=Han}/u)]);
      for (const value of put) expect([format, answer]).toEqual([format, expect.stringContaining(value)]);
    }
  });
  test.each([
    ['wrong user name or password', '用户名或密码不对'],
    ['password has 3 characters, at least 6 needed', '密码有 3 个字符，至少要 6 个'],
    ['content has 5001 characters, at most 5000 allowed', '内容有 5001 个字符，最多 5000 个'],
    ['page_size must be at most 100', 'page_size 不能大于 100'],
    ['the user name "阿明" is taken', '用户名“阿明”已被使用'],
    ['this is more text than gpt-4o at openai can read; shorten it or start a new conversation', '文字太多，openai 的 gpt-4o 读不下；请缩短，或开始新的对话'],
    ['openai did not accept the request: no such voice', 'openai 没有接受这个请求：no such voice'],
    ['this wiki cannot be read yet: the host did not answer in time', '这个百科还不能阅读：对方没有及时回应'],
    ['git could not fetch the repository: bad luck', 'git 没能拉取仓库：bad luck'],
    ['username must be text', '用户名必须是文字'],
    ['line 1: not JSON: stopped at byte 3 of 9', '第 1 行：不是 JSON：读到第 3 字节（共 9 字节）停下'],
    ['line 2: a control character at byte 8', '第 2 行：第 8 字节处有控制字符'],
    ['entry 1 (ai_xiaoming): the name is taken', '第 1 项（ai_xiaoming）：这个名字已被使用'],
    ['entry 2 (old wang): bio.age must be a whole number from 6 to 120', '第 2 项（old wang）：年龄必须是 6 到 120 的整数'],
    ['the profile (ai wrong!): bio.speaking_style must be text', '资料（ai wrong!）：说话方式必须是文字'],
  ])('%s', (english, said) => expect(chinese(english)).toBe(said));

  test('the longest literal wins: what a format says is more than what a wider one would', () => {
    const say = translator({ sentences: { '%s: %s': '{1}＝{2}', 'no: %s': '不：{1}', 'no: %s rain': '不：{1}雨' }, ofFields: {}, names: {} });
    expect([say('no: hard rain'), say('no: sun'), say('yes: rain')]).toEqual(['不：hard 雨', '不：sun', 'yes＝rain']);
  });
  test('that nobody knows is nobody\'s', () => {
    for (const text of ['', 'Hello, neighbour', 'a: b: c', '你好', '%s', 'x'.repeat(100_000)]) expect(chinese(text)).toBeNull();
  });
  test('in both languages is split', () => {
    expect(englishOf('帖子不存在 (no such post)')).toEqual({ chinese: '帖子不存在', english: 'no such post' });
    expect(englishOf('file 必须是文件 (the part `file` (a file))')).toEqual({ chinese: 'file 必须是文件', english: 'the part `file` (a file)' });
    expect(englishOf('no such post (any more)')).toEqual({ chinese: null, english: 'no such post (any more)' });
  });
});

describe('literals of C', () => {
  const texts = (code: string): string[] => literalsOf(code).map(({ text }) => text);
  test('go over lines, comments and PRI macros', () => {
    expect(texts('f("a %" PRIu64 " b" /* no "c" */\n  " d\\n");')).toEqual(['a %llu b d\n']);
    expect(texts('f("a", "b"); // "c"\nchar c = \'"\';')).toEqual(['a', 'b']);
    expect(texts('f(x ? "a \\"b\\"" : "c");')).toEqual(['a "b"', 'c']);
  });
  test('know where they stand', () => {
    expect(literalsOf('\nreturn why_set(why, ERR_IO, "no %s", g("x"));', 'a.c')).toEqual([
      { file: 'a.c', line: 2, text: 'no %s', calls: ['why_set'], code: 'ERR_IO' },
      { file: 'a.c', line: 2, text: 'x', calls: ['why_set', 'g'], code: '' },
    ]);
  });
});
