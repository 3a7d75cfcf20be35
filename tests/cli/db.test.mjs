// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong db` on both engines: what was backed up while members write comes
// back whole, and what must not be touched is not.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, readFile, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { hutong, newFolder } from '../support/command.mjs';
import { startMariadb } from '../support/mariadb.mjs';
import { startServer } from '../support/server.mjs';

const exec = promisify(execFile);
let mariadb;
before(async () => { mariadb = await startMariadb(); });
after(() => mariadb.stop());

// Where a database is, how to speak to it behind the program's back, and a second empty place.
const ENGINES = {
  SQLite: async (dir) => {
    const place = (name) => ({
      args: ['--data', path.join(dir, name)],
      sql: async (text) => {
        const { stdout } = await exec('sqlite3', [path.join(dir, name, 'hutong.db'), text]);
        return stdout.trim();
      },
      server: { dataDir: path.join(dir, name) },
    });
    await mkdir(path.join(dir, 'one'));
    return { one: place('one'), two: place('two') };
  },
  MariaDB: async (dir) => {
    const place = async (name) => {
      const url = await mariadb.newDatabase();
      await mkdir(path.join(dir, name), { mode: 0o700 });
      return {
        args: ['--data', path.join(dir, name), '--database', url],
        sql: (text) => mariadb.sql(url, text),
        server: { dataDir: path.join(dir, name), args: ['--database', url] },
      };
    };
    return { one: await place('one'), two: await place('two') };
  },
};

async function succeeds(args, options) {
  const { status, out, err } = await hutong(args, options);
  assert.equal(status, 0, `${args.join(' ')}\n${out}${err}`);
  assert.equal(err, '');
  return out;
}

async function fails(args, pattern) {
  const { status, out, err } = await hutong(args);
  assert.equal(status, 1, `${args.join(' ')}\n${out}${err}`);
  assert.match(out + err, pattern);
  return out + err;
}

// Everything members would miss, in one text.
const CONTENT = `SELECT id, username, nickname, role FROM users ORDER BY id;
  SELECT id, author_id, content, created_us FROM posts ORDER BY id`;

const count = (rows) => (rows === '' ? 0 : rows.split('\n').length);

for (const [engine, prepare] of Object.entries(ENGINES)) {
  describe(engine, () => {
    test('migrate makes the schema once, and status tells', async (t) => {
      const { one } = await prepare(await newFolder(t));
      await fails(['db', 'status', ...one.args], /no community|needs\s+version\s+\d+:\s+run\s+hutong\s+db\s+migrate/);
      assert.match(await succeeds(['db', 'migrate', ...one.args]),
        /^applied 1 ground_floor\n(applied .+\n)*.+ is now at version \d+\n$/);
      assert.match(await succeeds(['db', 'migrate', ...one.args]), /^.+ is already at version \d+\n$/);
      assert.match(await succeeds(['db', 'status', ...one.args]),
        /^ +1 {2}ground_floor +applied +20\d\d-\d\d-\d\dT[\d:]+Z$[^]*up to date\.\n$/m);
      assert.match(await succeeds(['db', 'check', ...one.args]), /^sound +yes[^]+^schema +up to date$/m);
    });

    test('a database from a newer program is refused everywhere', async (t) => {
      const dir = await newFolder(t);
      const { one } = await prepare(dir);
      await succeeds(['db', 'migrate', ...one.args]);
      await one.sql(`INSERT INTO schema_migrations (version, name, checksum, state, applied_us)
        VALUES (99, 'from_the_future', 'x', 'done', 1)`);
      for (const verb of ['migrate', 'status', 'check']) {
        const said = await fails(['db', verb, ...one.args], /newer\s+than this program/);
        assert.match(said, /version\s+99/);
      }
      await fails(['serve', '--listen', '127.0.0.1:0', ...one.args], /newer than this program/);
      await fails(['user', 'list', ...one.args], /newer than this program/);
      // What cannot be served can still be saved.
      await succeeds(['db', 'backup', path.join(dir, 'b'), ...one.args]);
    });

    test('a migration that was changed afterwards is refused', async (t) => {
      const { one } = await prepare(await newFolder(t));
      await succeeds(['db', 'migrate', ...one.args]);
      await one.sql("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1");
      await fails(['db', 'migrate', ...one.args], /applied with another text/);
      await fails(['db', 'status', ...one.args], /applied with another text/);
    });

    test('a backup taken while members write is one moment, and comes back the same', async (t) => {
      const dir = await newFolder(t);
      const { one, two } = await prepare(dir);
      const file = path.join(dir, 'backup');
      const server = await startServer(one.server);
      const mei = await server.register('mei');
      const acknowledged = [];
      let writing = true;
      async function write(lane) {
        for (let n = 0; writing; n++) {
          const reply = await server.api('POST', '/posts', {
            token: mei.token, json: { content: `${lane}-${n} 你好` },
          });
          assert.equal(reply.status, 201, reply.text);
          acknowledged.push(reply.body.id);
        }
      }
      const writers = [0, 1, 2, 3].map(write);
      while (acknowledged.length < 50) await server.api('GET', '/health');
      const known = [...acknowledged];
      const out = await succeeds(['db', 'backup', file, ...one.args]);
      writing = false;
      await Promise.all(writers);
      await server.stop({ keepData: true });

      assert.match(out, /^holds +\d+ tables, [\d,]+ rows, [\d.]+ [KM]iB$/m);
      assert.match(out, /^verified +read again/m);
      assert.match(out, /^took +\d+\.\d\d s$/m);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.match(await succeeds(['db', 'check', file]), new RegExp(`^of +${engine}$`, 'm'));

      assert.match(await succeeds(['db', 'restore', file, ...two.args]), /^schema +up to date$/m);
      const posts = (await two.sql('SELECT id FROM posts ORDER BY id')).split('\n').map(Number);
      for (const id of known) assert.ok(posts.includes(id), `post ${id} is not in the backup`);
      assert.ok(known.length <= posts.length && posts.length <= acknowledged.length + 4);
      // What is there is as it was, and derived figures fit what is there.
      const last = posts[posts.length - 1];
      const rows = `SELECT id, author_id, content, created_us FROM posts WHERE id <= ${last} ORDER BY id`;
      const before = (await one.sql(rows)).split('\n');
      const restored = (await two.sql(rows)).split('\n');
      assert.ok(restored.every((row) => before.includes(row)));
      assert.equal(Number(await two.sql("SELECT posts_count FROM users WHERE username = 'mei'")),
        posts.length);

      const again = await startServer(two.server);
      const login = await again.api('POST', '/auth/login', {
        form: { username: 'mei', password: mei.password },
      });
      assert.equal(login.status, 200);
      await again.stop({ keepData: true });
    });

    test('a restored community equals the one backed up', async (t) => {
      const dir = await newFolder(t);
      const { one, two } = await prepare(dir);
      const file = path.join(dir, 'backup');
      const server = await startServer({ ...one.server, args: [...(one.server.args ?? []), '--demo'] });
      await server.stop({ keepData: true });
      await succeeds(['db', 'backup', file, ...one.args]);
      await succeeds(['db', 'restore', file, ...two.args]);
      const content = await one.sql(CONTENT);
      assert.ok(count(content) > 5);
      assert.equal(await two.sql(CONTENT), content);
      await succeeds(['db', 'check', ...two.args]);
    });

    test('a restore needs an empty place, and leaves a full one alone', async (t) => {
      const dir = await newFolder(t);
      const { one } = await prepare(dir);
      const file = path.join(dir, 'backup');
      const server = await startServer(one.server);
      await succeeds(['db', 'backup', file, ...one.args]);
      await server.register('mei');
      await fails(['db', 'restore', file, ...one.args], /exists|not empty|tables/);
      const { body } = await server.api('POST', '/auth/login', {
        form: { username: 'mei', password: 'correct horse' },
      });
      assert.ok(body.access_token); // still there, still served
      await server.stop({ keepData: true });
      assert.equal(await one.sql("SELECT count(*) FROM users WHERE username = 'mei'"), '1');
    });

    test('a damaged backup is refused by check and by restore', async (t) => {
      const dir = await newFolder(t);
      const { one, two } = await prepare(dir);
      const file = path.join(dir, 'backup');
      await succeeds(['db', 'migrate', ...one.args]);
      await one.sql(`INSERT INTO users (id, username, username_key, nickname, created_us, updated_us)
        VALUES (1, 'mei', 'mei', 'Mei', 1, 1)`);
      await succeeds(['db', 'backup', file, ...one.args]);
      const whole = await readFile(file);
      const flipped = Buffer.from(whole);
      // In the middle, but at the head of a page of SQLite's: room that is free may hold anything.
      const middle = Math.floor(whole.length / 2);
      const at = middle - (whole.toString('latin1', 0, 6) === 'SQLite' ? middle % 4096 : 0);
      flipped.fill(0xa5, at, at + 64);
      const damages = {
        cut: whole.subarray(0, whole.length - 100),
        flipped,
        empty: Buffer.alloc(0),
        other: Buffer.from('<html>not a backup</html>'),
      };
      for (const [name, bytes] of Object.entries(damages)) {
        const bad = path.join(dir, name);
        await writeFile(bad, bytes);
        await fails(['db', 'check', bad], /damaged|cut off|no backup|ends too early|unexpected/);
        await fails(['db', 'restore', bad, ...two.args], new RegExp(bad));
      }
      await fails(['db', 'check', path.join(dir, 'nothing')], /No such file/);
      // None of that stands in the way of the good one.
      await succeeds(['db', 'restore', file, ...two.args]);
      assert.equal(await two.sql('SELECT username FROM users'), 'mei');
    });

    test('a checksum beside a backup finds what the engine cannot see', async (t) => {
      const dir = await newFolder(t);
      const { one, two } = await prepare(dir);
      const file = path.join(dir, 'backup');
      const sum = `${file}.sha256`;
      await succeeds(['db', 'migrate', ...one.args]);
      await one.sql(`INSERT INTO users (id, username, username_key, nickname, bio, created_us, updated_us)
        VALUES (1, 'mei', 'mei', 'Mei', 'forty words about my garden and its persimmon tree', 1, 1)`);
      assert.match(await succeeds(['db', 'backup', file, ...one.args]), /^checksum +in \S+\.sha256$/m);
      assert.equal((await stat(sum)).mode & 0o777, 0o600);
      const { stdout } = await exec('sha256sum', ['-c', 'backup.sha256'], { cwd: dir });
      assert.equal(stdout, 'backup: OK\n');
      assert.match(await succeeds(['db', 'check', file]), /^checksum +as in \S+\.sha256$/m);

      // Sixteen bytes in the middle of what a member wrote: every page still makes sense.
      const whole = await readFile(file);
      const at = whole.indexOf('persimmon tree');
      assert.ok(at > 0);
      await writeFile(file, Buffer.concat([whole.subarray(0, at - 2), Buffer.from('0123456789abcdef'), whole.subarray(at + 14)]));
      const words = /backup\s+is\s+not\s+what\s+was\s+backed\s+up[^]+backup\.sha256/;
      await fails(['db', 'check', file], words);
      await fails(['db', 'restore', file, ...two.args], words);
      await writeFile(file, whole);

      // One that holds none is as bad; without any it is said that there is none.
      const good = await readFile(sum);
      await writeFile(sum, 'x'.repeat(80));
      await fails(['db', 'check', file], /backup\.sha256\s+holds\s+no\s+SHA-256/);
      await rm(sum);
      assert.match(await succeeds(['db', 'check', file]), /^checksum +none: .*backup\.sha256/m);
      await writeFile(sum, good);

      // An old one in the way of a new backup stays, and no half of a pair comes to be.
      await rm(file);
      await fails(['db', 'backup', file, ...one.args], /backup\.sha256\s+exists already/);
      assert.deepEqual((await readdir(dir)).filter((name) => /^backup/.test(name)), ['backup.sha256']);
      await writeFile(file, whole);
      assert.match(await succeeds(['db', 'restore', file, ...two.args]), /^checksum +as in/m);
    });

    test('a backup never replaces a file and leaves nothing when it fails', async (t) => {
      const dir = await newFolder(t);
      const { one } = await prepare(dir);
      await succeeds(['db', 'migrate', ...one.args]);
      await mkdir(path.join(dir, 'to'));
      const file = path.join(dir, 'to', 'precious');
      await writeFile(file, 'mine');
      await fails(['db', 'backup', file, ...one.args], /exists already/);
      await fails(['db', 'backup', path.join(dir, 'nowhere', 'b'), ...one.args], /there is no folder/);
      assert.equal(await readFile(file, 'utf8'), 'mine');
      assert.deepEqual(await readdir(path.join(dir, 'to')), ['precious']);
    });
  });
}

test('a backup that has no place is told what is wrong and what would be right', async (t) => {
  const dir = await newFolder(t);
  await succeeds(['db', 'migrate', '--data', path.join(dir, 'd')]);
  await writeFile(path.join(dir, 'file'), 'mine');
  const at = (name) => ['db', 'backup', path.join(dir, name), '--data', path.join(dir, 'd')];
  await fails(at('nowhere/deep/b'), /there is no folder \S+\/nowhere\/deep; make it first \(mkdir -p \S+\/nowhere\/deep/);
  await fails(at('file/b'), /\/file is no folder/);
  await fails(at('d'), /\/d is a folder; name a file in it, like \S+\/d\/hutong-\d{4}-\d\d-\d\d\.backup/);
  await fails(at('new/'), /\/new\/ names a folder/);
  for (const verb of ['backup', 'restore', 'check']) {
    const { status, err } = await hutong(['db', verb, '', '--data', path.join(dir, 'd')]);
    assert.equal(status, 2, verb);
    assert.match(err, new RegExp(`db ${verb} needs one FILE, and "" names none`));
  }
  assert.deepEqual((await readdir(dir)).sort(), ['d', 'file']);
});

test('a backup goes back into its own engine only', async (t) => {
  const dir = await newFolder(t);
  const sqlite = (await ENGINES.SQLite(dir)).one;
  const maria = (await ENGINES.MariaDB(await newFolder(t))).one;
  await succeeds(['db', 'migrate', ...sqlite.args]);
  await succeeds(['db', 'migrate', ...maria.args]);
  const [a, b] = [path.join(dir, 'a'), path.join(dir, 'b')];
  await succeeds(['db', 'backup', a, ...sqlite.args]);
  await succeeds(['db', 'backup', b, ...maria.args]);
  await fails(['db', 'restore', a, '--database', await mariadb.newDatabase()], /is a backup of SQLite/);
  await fails(['db', 'restore', b, '--data', path.join(dir, 'new')], /is a backup of MariaDB/);
  await assert.rejects(access(path.join(dir, 'new')), 'a restore that failed leaves no folder');
});

test('a refused restore leaves the folders as they were', async (t) => {
  const dir = await newFolder(t);
  const [whole, cut] = [path.join(dir, 'whole'), path.join(dir, 'cut')];
  await succeeds(['db', 'migrate', '--data', path.join(dir, 'src')]);
  await succeeds(['db', 'backup', whole, '--data', path.join(dir, 'src')]);
  await writeFile(cut, (await readFile(whole)).subarray(0, 5000));
  await mkdir(path.join(dir, 'there'));
  const before = await readdir(dir, { recursive: true });
  for (const bad of ['/etc/passwd', cut, path.join(dir, 'none')]) {
    for (const data of ['new', 'new/deep', 'there', 'there/deep']) {
      await fails(['db', 'restore', bad, '--data', path.join(dir, data)], /no backup|damaged|cannot read/);
      await fails(['db', 'restore', bad, '--data', path.join(dir, data), '--upload-dir', path.join(dir, 'up/load')], /no backup|damaged|cannot read/);
      assert.deepEqual(await readdir(dir, { recursive: true }), before, `${bad} into ${data}`);
    }
  }
});

test('the database of another program is no backup', async (t) => {
  const dir = await newFolder(t);
  const other = path.join(dir, 'other.db');
  await exec('sqlite3', [other, 'CREATE TABLE pictures (id INTEGER PRIMARY KEY)']);
  await fails(['db', 'check', other], /is no backup of a community/);
  await fails(['db', 'restore', other, '--data', path.join(dir, 'd')], /is no backup of a community/);
  assert.deepEqual(await readdir(dir), ['other.db']);
});

test('the log of a database that was taken away stops a restore', async (t) => {
  const dir = await newFolder(t);
  const data = path.join(dir, 'one');
  const file = path.join(dir, 'backup');
  await mkdir(data, { mode: 0o700 });
  const server = await startServer({ dataDir: data });
  await server.register('mei');
  await succeeds(['db', 'backup', file, '--data', data]);
  await server.kill();
  await rename(path.join(data, 'hutong.db'), path.join(dir, 'old.db'));
  await fails(['db', 'restore', file, '--data', data], /hutong\.db-wal exists/);
});

test('a MariaDB that does not answer leaves no folder behind', async (t) => {
  const dir = await newFolder(t);
  const env = { HUTONG_DATABASE: 'mysql://mei:secret@127.0.0.1:1/hutong' };
  const file = path.join(dir, 'b');
  const dump = (await ENGINES.MariaDB(await newFolder(t))).one;
  await succeeds(['db', 'migrate', ...dump.args]);
  await succeeds(['db', 'backup', file, ...dump.args]);
  for (const words of [['db', 'migrate'], ['db', 'restore', file], ['user', 'list'], ['user', 'add', 'mei']]) {
    const { status } = await hutong([...words, '--data', path.join(dir, 'd')], { env, input: 'correct horse\n' });
    assert.equal(status, 1, words.join(' '));
  }
  assert.deepEqual((await readdir(dir)).sort(), ['b', 'b.sha256']);
});

test('looking at a database makes no files and changes none', async (t) => {
  const dir = await newFolder(t);
  const data = path.join(dir, 'd');
  await fails(['db', 'status', '--data', data], /there is no community/);
  await fails(['db', 'check', '--data', data], /there is no community/);
  await fails(['db', 'backup', path.join(dir, 'b'), '--data', data], /there is no community/);
  assert.deepEqual(await readdir(dir), []);
  await succeeds(['db', 'migrate', '--data', data]);
  const names = (await readdir(data)).sort();
  await succeeds(['db', 'status', '--data', data]);
  await succeeds(['db', 'check', '--data', data]);
  assert.deepEqual((await readdir(data)).sort(), names);
});

test('check finds a damaged database', async (t) => {
  const dir = await newFolder(t);
  await succeeds(['db', 'migrate', '--data', dir]);
  const file = path.join(dir, 'hutong.db');
  const bytes = await readFile(file);
  bytes.fill(0x5a, 40960, 45056);
  await writeFile(file, bytes);
  await fails(['db', 'check', '--data', dir], /damaged/);
  await truncate(file, 5000);
  await fails(['db', 'check', '--data', dir], /damaged/);
});
