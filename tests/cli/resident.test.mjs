// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong resident`: who lives in the town goes into files and comes out of them the same, and a
// file with anything wrong in it adds nobody and says what and where.
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { hutong, newFolder } from '../support/command.mjs';

const PROFILE = {
  username: 'ai_xiaohe',
  nickname: '小荷',
  bio: {
    description: '画画的人。',
    occupation: 'painter',
    age: 25,
    gender: 'female',
    speaking_style: '温和，爱用比喻',
    goals: ['a show of her own', '学会游泳'],
    daily_routine: { '07:00': 'runs', '09:00': 'paints' },
    personality_traits: ['curious', 'kind'],
  },
  personality: 'curious,kind',
};
const PLAIN = { username: 'luxun', nickname: '鲁迅', bio: '{writes', personality: 'dry' };

async function community(t, name = 'd') {
  const folder = await newFolder(t);
  const data = path.join(folder, name);
  const run = (words, input) => hutong(['resident', ...words, '--data', data], { input });
  const must = async (words, input) => {
    const { status, out, err } = await run(words, input);
    assert.equal(status, 0, `${words.join(' ')}\n${err}`);
    assert.equal(err, '');
    return out;
  };
  return { folder, data, run, must };
}

test('residents_that_are_exported_are_imported_as_they_were', async (t) => {
  const { folder, must } = await community(t);
  assert.equal(await must(['add', '-'], JSON.stringify(PROFILE)), 'added resident ai_xiaohe, id 1\n');
  await must(['add', '--username', PLAIN.username, '--nickname', PLAIN.nickname, '--bio', PLAIN.bio,
    '--personality', PLAIN.personality]);
  await must(['add', 'nobody_much']);
  const out = await must(['export']);
  assert.deepEqual(JSON.parse(out), [PROFILE, PLAIN, { username: 'nobody_much', nickname: 'nobody_much' }]);
  assert.equal(await must(['list']),
    '     1  ai_xiaohe                小荷\n     2  luxun                    鲁迅\n     3  nobody_much              nobody_much\n');
  const listed = JSON.parse(await must(['list', '--json']));
  assert.deepEqual(listed[0], { id: 1, ...PROFILE, in_town: false });

  const file = path.join(folder, 'residents.json');
  await writeFile(file, out);
  const other = await community(t);
  assert.equal(await other.must(['import', file]), 'added 3 residents\n');
  assert.equal(await other.must(['export']), out);
});

test('a_list_inside_an_object_and_one_alone_are_taken_too', async (t) => {
  const { must } = await community(t);
  assert.equal(await must(['import', '-'], JSON.stringify({ residents: [PROFILE] })), 'added 1 resident\n');
  await must(['import', '-'], JSON.stringify(PLAIN));
  const list = { username: 'maodun', personality: ['calm', 'dry'], bio: null };
  await must(['import', '-'], JSON.stringify([list]));
  assert.deepEqual(JSON.parse(await must(['export']))[2], { username: 'maodun', nickname: 'maodun', personality: 'calm,dry' });
  assert.equal(await must(['import', '-'], '[]'), 'added 0 residents\n');
});

// title, second entry of a list, sentence
const WRONG = [
  ['a name that is taken', { username: 'LUXUN' }, /entry 2 \(LUXUN\): the name is taken/],
  ['a name too short', { username: 'ab' }, /entry 2 \(ab\): username has 2 characters/],
  ['no name', { nickname: 'x' }, /entry 2: username must be text/],
  ['a nickname too long', { username: 'abc', nickname: 'x'.repeat(51) }, /entry 2 \(abc\): nickname has 51 characters/],
  ['no object', 7, /entry 2: this must be an object/],
  ['an unknown field', { username: 'abc', boi: '' }, /entry 2 \(abc\): "boi" is no field; there are username/],
  ['a bio of another kind', { username: 'abc', bio: 7 }, /entry 2 \(abc\): bio must be text or an object/],
  ['an age in words', { username: 'abc', bio: { age: 'old' } }, /entry 2 \(abc\): bio\.age must be a whole number from 6 to 120/],
  ['goals that are none', { username: 'abc', bio: { goals: 'all' } }, /entry 2 \(abc\): bio\.goals must be a list of texts/],
  ['a routine that is none', { username: 'abc', bio: { daily_routine: [] } }, /entry 2 \(abc\): bio\.daily_routine must be an object/],
  ['traits of numbers', { username: 'abc', bio: { personality_traits: [1] } }, /bio\.personality_traits must be text or a list of texts/],
  ['a personality of numbers', { username: 'abc', personality: 1 }, /entry 2 \(abc\): personality must be text or a list/],
  ['a bio too long', { username: 'abc', bio: 'x'.repeat(17000) }, /entry 2 \(abc\): bio is longer than 16 KiB/],
  ['a bio with a bell', { username: 'abc', bio: 'x\u0007' }, /entry 2 \(abc\): bio/],
];

test('a_file_with_anything_wrong_in_it_adds_nobody', async (t) => {
  const { run, must } = await community(t);
  await must(['import', '-'], JSON.stringify([PLAIN]));
  const before = await must(['export']);
  const fine = { username: 'fine_one' };
  for (const [title, entry, sentence] of WRONG) {
    const { status, out, err } = await run(['import', '-'], JSON.stringify([fine, entry]));
    assert.equal(status, 1, title);
    assert.equal(out, '', title);
    assert.match(err, sentence, title);
    assert.match(err, /^hutong: [^\n]+\n$/, title);
    assert.equal(await must(['export']), before, title);
  }
  for (const [text, sentence] of [['[\n{,', /standard input, line 2: /], ['7', /a list of residents is expected/], ['', /standard input/]]) {
    const { status, err } = await run(['import', '-'], text);
    assert.equal(status, 1);
    assert.match(err, sentence);
  }
  assert.match((await run(['import', '/nonexistent/file'])).err, /cannot open \/nonexistent\/file: No such file/);
  assert.match((await run(['add', 'abc', '--bio', '{"age":3}'])).err, /the profile \(abc\): bio\.age must be/);
  assert.match((await run(['add', '-'], JSON.stringify([fine]))).err, /one profile is expected/);
  const both = await run(['add', '-', '--nickname', 'x'], JSON.stringify(fine));
  assert.deepEqual([both.status, /--nickname stands in the profile/.test(both.err)], [2, true]);
  assert.equal(await must(['export']), before);
});

test('a_resident_is_given_a_wiki_and_it_is_taken_away_again', async (t) => {
  const { folder, data, run, must } = await community(t);
  const tea = path.join(folder, 'teahouse');
  await mkdir(tea);
  await writeFile(path.join(tea, 'README.md'), '# Teahouse\n\nPours tea.\n');
  const wiki = (...args) => hutong(['wiki', ...args, '--data', data], { env: { HUTONG_WIKI_ROOTS: folder } });
  for (const args of [['add', tea], ['add', tea, '--name', 'inside', '--access', 'members', '--include', '*.md']]) {
    const { status, err } = await wiki(...args);
    assert.equal(status, 0, err);
  }
  await must(['add', 'luxun', '--wiki', 'teahouse']);
  await must(['add', '-', '--wiki', '1'], JSON.stringify(PROFILE));
  assert.equal(await must(['list']),
    '     1  luxun                    luxun  (knows teahouse)\n     2  ai_xiaohe                小荷  (knows teahouse)\n');
  assert.deepEqual(JSON.parse(await must(['list', '--json']))[0], {
    id: 1, username: 'luxun', nickname: 'luxun', in_town: false, wiki: 1, wiki_name: 'teahouse' });
  assert.equal(await must(['set', 'LuXun', '--wiki', 'none']), 'luxun knows about no wiki\n');
  assert.equal(await must(['set', 'ai_xiaohe', '--wiki', 'teahouse']), 'ai_xiaohe knows about teahouse\n');
  const before = await must(['list', '--json']);
  for (const [words, status, sentence] of [
    [['set', 'luxun', '--wiki', 'inside'], 1, /wiki is not for everyone/], [['add', 'maodun', '--wiki', 'inside'], 1, /wiki is not for everyone/],
    [['set', 'luxun', '--wiki', 'nowhere'], 1, /there is no wiki called nowhere; hutong wiki list/],
    [['set', 'nobody', '--wiki', '1'], 1, /no resident is called nobody/],
    [['set', 'luxun'], 2, /--wiki NAME\|ID\|none/], [['set', '--wiki', '1'], 2, /needs one NAME/],
  ]) {
    const said = await run(words);
    assert.equal(said.status, status, words.join(' '));
    assert.match(said.err, sentence);
  }
  assert.equal(await must(['list', '--json']), before);
  assert.deepEqual(JSON.parse(await must(['export']))[1], PROFILE, 'numbers of wikis mean nothing elsewhere');
});

test('who_looks_where_no_community_is_makes_none', async (t) => {
  const { folder, run } = await community(t);
  for (const words of [['list'], ['export']]) {
    const { status, err } = await run(words);
    assert.equal(status, 1);
    assert.match(err, /there is no community in /);
  }
  assert.deepEqual(await readdir(folder), []);
});
