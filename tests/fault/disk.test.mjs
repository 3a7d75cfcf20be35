// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A full disk, a real one: a small tmpfs is the data folder. Changes are refused with a sentence,
// reads go on, nothing acknowledged is lost, and when there is room again all goes on
// without a restart. Needs the right to mount: root's, or sudo's without a question.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync, mkdtempSync, openSync, readdirSync, rmSync, rmdirSync, statSync, statfsSync, truncateSync, writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { hutong } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';

const SIZE_MB = 160; // /health/ready wants 64 MiB free

function asRoot(command, args) {
  if (process.getuid() === 0) return execFileSync(command, args);
  try {
    return execFileSync('sudo', ['-n', command, ...args]);
  } catch (error) {
    throw new Error(`only root may ${command}: run the tests as root, or "sudo -v" before them\n${error.message}`);
  }
}

class SmallDisk {
  constructor() {
    this.dir = mkdtempSync(path.join(tmpdir(), 'hutong-disk-'));
    this.ballast = path.join(this.dir, 'ballast');
    const owner = `uid=${process.getuid()},gid=${process.getgid()},mode=0700`;
    asRoot('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m,${owner}`, 'hutong-test', this.dir]);
  }

  fill() {
    const { bavail, bsize } = statfsSync(this.dir);
    execFileSync('fallocate', ['-l', String(bavail * bsize), this.ballast]);
    const file = openSync(this.ballast, 'a');
    try {
      for (;;) writeSync(file, Buffer.alloc(bsize)); // what was freed meanwhile
    } catch (error) {
      assert.equal(error.code, 'ENOSPC');
    } finally {
      closeSync(file);
    }
  }

  // So much room again, and no more.
  leave(bytes) {
    truncateSync(this.ballast, statSync(this.ballast).size - bytes);
  }

  makeRoom() {
    rmSync(this.ballast);
  }

  remove() {
    asRoot('umount', ['--lazy', this.dir]);
    rmdirSync(this.dir);
  }
}

// Posts until the server refuses one; what it took before is remembered in `stored`.
async function postUntilRefused(server, token, stored) {
  for (let i = 0; i < 2000; i++) {
    const content = `post ${stored.length}`;
    const reply = await server.api('POST', '/posts', { token, json: { content } });
    if (reply.status !== 201) return reply;
    stored.push(content);
  }
  throw new Error('the disk never became full');
}

async function allPosts(server) {
  const found = [];
  for (let before = ''; before !== null;) {
    const page = await server.api('GET', `/posts?limit=100${before && `&before=${before}`}`);
    assert.equal(page.status, 200, page.text);
    found.push(...page.body.items.map((post) => post.content));
    before = page.body.next_before;
  }
  return found.reverse();
}

test('a full disk refuses changes, answers reads, loses nothing and heals without a restart', async (t) => {
  const disk = new SmallDisk();
  t.after(() => disk.remove());
  let server = await startServer({ dataDir: disk.dir });
  t.after(() => server.kill());
  const { token } = await server.register('lilei');
  const hua = await server.register('hanmeimei');
  const stored = [];
  assert.equal((await server.api('GET', '/health/ready')).status, 200);

  await t.test('changes are refused with a sentence', async () => {
    disk.fill();
    const refused = await postUntilRefused(server, token, stored);
    assert.equal(refused.status, 507, refused.text);
    assert.match(refused.body.detail, /cannot save now: the server's disk is full/);
    assert.match(refused.headers.get('content-type'), /problem\+json/);
    const message = await server.api('POST', `/messages/send/${hua.id}`, { token, json: { content: 'x'.repeat(900) } });
    assert.equal(message.status, 507, message.text);
    const picture = new FormData();
    picture.append('file', new Blob([Buffer.alloc(100000)]), 'a.png');
    const upload = await server.api('POST', '/files/upload', { token, body: picture });
    assert.equal(upload.status, 507, upload.text);
  });

  await t.test('reads go on, and the operator is told', async () => {
    assert.deepEqual(await allPosts(server), stored);
    assert.equal((await server.api('GET', '/messages/conversations', { token })).status, 200);
    assert.equal((await server.api('GET', '/health')).status, 200);
    const ready = await server.api('GET', '/health/ready');
    assert.equal(ready.status, 503, ready.text);
    assert.equal(ready.body.checks.disk.ok, false);
    assert.match(server.log(), /error writer\.commit .*disk is full/);
  });

  await t.test('with room again it goes on without a restart', async () => {
    disk.makeRoom();
    const posted = await server.api('POST', '/posts', { token, json: { content: 'room again' } });
    assert.equal(posted.status, 201, posted.text);
    stored.push('room again');
    assert.equal((await server.api('GET', '/health/ready')).status, 200);
    assert.deepEqual(await allPosts(server), stored, 'what was refused is not there');
  });

  await t.test('a crash on a full disk loses nothing either', async () => {
    disk.fill();
    const refused = await postUntilRefused(server, token, stored);
    assert.equal(refused.status, 507, refused.text);
    await server.kill();
    disk.makeRoom();
    server = await startServer({ dataDir: disk.dir });
    assert.deepEqual(await allPosts(server), stored);
    const check = execFileSync('sqlite3', ['-readonly', path.join(disk.dir, 'hutong.db'), 'PRAGMA integrity_check']);
    assert.equal(check.toString().trim(), 'ok');
    await server.stop();
  });
});

test('a backup that the disk has no room for is refused with a sentence and leaves nothing', async (t) => {
  const disk = new SmallDisk();
  t.after(() => disk.remove());
  const server = await startServer({ dataDir: disk.dir });
  t.after(() => server.kill());
  const root = await asAdmin(server);
  const folder = path.join(disk.dir, 'backups');
  const { name, bytes } = await root.must('POST', '/admin/backups', undefined, 201);
  for (const room of [0, Math.floor(bytes / 2 / 4096) * 4096]) {
    disk.fill();
    if (room) disk.leave(room); // it breaks off in the middle
    const refused = await root.ask('POST', '/admin/backups');
    assert.equal(refused.status, 507, refused.text);
    assert.match(refused.body.detail, /no room for a backup: the server's disk is full; nothing was left behind/);
    assert.deepEqual(readdirSync(folder).sort(), [name, `${name}.sha256`]);
    // Whoever has no room wants to save what there is.
    assert.equal((await root.ask('GET', `/admin/backups/${name}`)).status, 200);
    assert.match(server.log(), /audit\.failed.*action=backup\.taken/);
    disk.makeRoom();
  }
  await root.must('POST', '/admin/backups', undefined, 201);
  assert.equal((await root.must('GET', '/admin/backups')).items.length, 2);
  await server.stop();
});

// RLIMIT_FSIZE: `ulimit -f` of whoever starts it. Its signal ends a program that does not know it.
test('files that may not grow are a full disk: the server lives, refuses changes and heals', async (t) => {
  const server = await startServer();
  t.after(() => server.kill());
  const { token } = await server.register('lilei');
  const most = (bytes) => execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:unlimited`]);
  const stored = [];
  most(4096);
  const refused = await postUntilRefused(server, token, stored);
  assert.equal(refused.status, 507, refused.text);
  assert.match(refused.body.detail, /cannot save now: the server's disk is full/);
  const picture = new FormData();
  picture.append('file', new Blob([Buffer.alloc(100000)]), 'a.png');
  assert.equal((await server.api('POST', '/files/upload', { token, body: picture })).status, 507);
  assert.deepEqual(await allPosts(server), stored);
  most('unlimited');
  assert.equal((await server.api('POST', '/posts', { token, json: { content: 'room again' } })).status, 201);
  assert.deepEqual(await allPosts(server), [...stored, 'room again']);
  await server.stop();
});

test('a backup to a file that may not grow fails with a sentence and leaves nothing', async (t) => {
  const server = await startServer();
  t.after(() => server.kill());
  await server.register('lilei');
  const folder = mkdtempSync(path.join(tmpdir(), 'hutong-disk-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { status, err } = await hutong(['db', 'backup', path.join(folder, 'b'), '--data', server.dataDir],
    { through: ['prlimit', '--fsize=16384'] });
  assert.equal(status, 1, err);
  assert.match(err, /the disk is full/);
  assert.deepEqual(readdirSync(folder), []);
});
