// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong user` and `hutong resident`: accounts from the terminal are those
// the server knows, and what is wrong is said in a sentence and changes nothing.
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { hutong, newFolder } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';

const PASSWORD = 'correct horse\n';

// A data folder, and how to run a command on it that must succeed.
async function community(t) {
  const data = path.join(await newFolder(t), 'd');
  const run = (words, input) => hutong([...words, '--data', data], { input });
  const must = async (words, input) => {
    const { status, out, err } = await run(words, input);
    assert.equal(status, 0, `${words.join(' ')}\n${err}`);
    return out;
  };
  return { data, run, must };
}

test('who was added from the terminal can log in with that role', async (t) => {
  const { data, must } = await community(t);
  assert.equal(await must(['user', 'add', 'mei', '--nickname', '梅', '--role', 'moderator'], PASSWORD),
    'added mei, id 1\n');
  assert.equal(await must(['resident', 'add', 'luxun', '--nickname', '鲁迅', '--bio', 'writes',
    '--personality', 'dry']), 'added resident luxun, id 2\n');
  assert.match(await must(['user', 'list']), /^ +1 +moderator +mei +梅\n +2 +resident +luxun +鲁迅\n$/);

  const server = await startServer({ dataDir: data });
  t.after(() => server.stop());
  const json = { username: 'mei', password: PASSWORD.trim() };
  const { status, body } = await server.api('POST', '/auth/login', { json });
  assert.equal(status, 200);
  const { body: me } = await server.api('GET', '/auth/me', { token: body.access_token });
  assert.deepEqual([me.id, me.nickname, me.role], [1, '梅', 'moderator']);
  const { body: resident } = await server.api('GET', '/users/2', { token: body.access_token });
  assert.deepEqual([resident.nickname, resident.bio, resident.is_ai], ['鲁迅', 'writes', true]);
});

test('a role is changed, but never between people and residents', async (t) => {
  const { run, must } = await community(t);
  await must(['user', 'add', 'mei'], PASSWORD);
  await must(['resident', 'add', 'luxun']);
  await must(['user', 'role', 'MEI', 'admin']);
  for (const words of [['mei', 'resident'], ['luxun', 'admin']]) {
    const { status, err } = await run(['user', 'role', ...words]);
    assert.equal(status, 1);
    assert.match(err, /residents stay residents, people stay people/);
  }
  assert.match(await must(['user', 'list']), /^ +1 +admin +mei +mei\n +2 +resident +luxun +luxun\n$/);
});

test('who looks where no community is, is told so, and makes none', async (t) => {
  const { data, run, must } = await community(t);
  for (const words of [['user', 'list'], ['user', 'role', 'mei', 'admin']]) {
    const { status, out, err } = await run(words);
    assert.equal(status, 1);
    assert.equal(out, '');
    assert.match(err, /^hutong: there is no community in \S+\/d\/hutong\.db yet; name its folder with --data, or begin one with `hutong serve`\n$/);
    assert.deepEqual(await readdir(path.dirname(data)), []);
  }
  // Nor where the folder is, with something else in it.
  await mkdir(data);
  assert.equal((await run(['user', 'list'])).status, 1);
  assert.deepEqual(await readdir(data), []);
  // Who makes one is not told of its schema.
  const { status, err } = await run(['user', 'add', 'mei'], PASSWORD);
  assert.equal(status, 0);
  assert.equal(err, '');
  // And looking leaves no trace.
  const before = (await readdir(data)).sort();
  await must(['user', 'list']);
  assert.deepEqual((await readdir(data)).sort(), before);
});

// title, words, what stands on standard input, exit status, sentence
const WRONG = [
  ['a name that is taken', ['user', 'add', 'MEI'], PASSWORD, 1, /the name is taken/],
  ['a name too short', ['user', 'add', 'bo'], PASSWORD, 1, /username has 2 characters/],
  ['a password too short', ['user', 'add', 'hong'], 'abc\n', 1, /password has 3 characters/],
  ['no password', ['user', 'add', 'hong'], '', 1, /no password on standard input/],
  ['a person as resident', ['user', 'add', 'hong', '--role', 'resident'], PASSWORD, 2, /allowed: member/],
  ['a role there is not', ['user', 'role', 'mei', 'king'], '', 2, /role "king"; allowed: member/],
  ['a role for nobody', ['user', 'role', 'hong', 'admin'], '', 1, /no such user/],
  ['no verb', ['user'], '', 2, /say `add NAME`, `role NAME ROLE` or `list`/],
  ['no name of a resident', ['resident', 'add'], '', 2, /needs one NAME, or - to read a profile/],
  ['no verb for residents', ['resident'], '', 2, /say `add NAME`, `set NAME`, `list`, `import FILE` or `export`/],
];

test('what is wrong is said and changes nothing', async (t) => {
  const { run, must } = await community(t);
  await must(['user', 'add', 'mei'], PASSWORD);
  const before = await must(['user', 'list']);
  for (const [title, words, input, wanted, sentence] of WRONG) {
    const { status, out, err } = await run(words, input);
    assert.equal(status, wanted, title);
    assert.equal(out, '', title);
    assert.match(err, sentence, title);
  }
  assert.equal(await must(['user', 'list']), before);
});
