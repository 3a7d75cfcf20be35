// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the program says about itself, and about settings that are wrong.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { hutong, newFolder } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';

const COMMANDS = ['serve', 'user', 'resident', 'db', 'llm', 'town', 'doctor', 'settings'];
const COLUMNS = 79;

function assertFits(text) {
  for (const line of text.split('\n')) {
    assert.ok([...line].length <= COLUMNS, `${[...line].length} columns: ${line}`);
  }
}

test('the first page names every command and fits a terminal', async () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { status, out, err } = await hutong(args);
    assert.equal(status, 0);
    assert.equal(err, '');
    for (const name of COMMANDS) assert.match(out, new RegExp(`^  ${name} +\\S`, 'm'));
    assert.doesNotMatch(out, /bench-data/);
    assertFits(out);
  }
});

test('every command has a manual with usage, examples and exit status', async () => {
  for (const name of COMMANDS) {
    const page = await hutong([name, '--help']);
    assert.equal(page.status, 0);
    assert.match(page.out, new RegExp(`^hutong ${name} - .+\n\nUsage: hutong ${name}`));
    assert.match(page.out, /^Examples?:\n {2}\S/m);
    assert.match(page.out, /^Exit status: 0/m);
    assertFits(page.out);
    assert.equal((await hutong(['help', name])).out, page.out);
  }
});

test('wrong usage is status 2 and a sentence on standard error', async () => {
  const cases = [
    [[], ''],
    [['dance'], 'there is no command "dance"'],
    [['help', 'dance'], 'there is no command "dance"'],
    [['serve', '--dance'], 'serve has no option --dance'],
    [['serve', '--data'], '--data needs a value'],
    [['db'], 'say migrate, status'],
    [['db', 'backup'], 'db backup needs one FILE'],
    [['db', 'backup', 'a', 'b'], 'db backup needs one FILE'],
    [['db', 'status', 'x'], 'takes nothing behind it'],
    [['doctor', 'x'], 'doctor takes settings only'],
    [['settings', 'x'], 'settings takes settings only'],
    [['serve', 'x'], 'serve takes options only, and not "x"'],
    [['serve', '-demo'], 'serve takes options only, and not "-demo"'],
  ];
  for (const [args, sentence] of cases) {
    const { status, err } = await hutong(args);
    assert.equal(status, 2, args.join(' '));
    assert.ok(err.includes(sentence), `${args.join(' ')}: ${err}`);
  }
});

test('settings shows values and where they may come from, and no password', async () => {
  const { status, out } = await hutong(['settings', '--loops=3'], {
    env: {
      HUTONG_DATABASE: 'mysql://mei:s3cr3t-db@db.example/hutong',
      HUTONG_REDIS: 'redis://:s3cr3t-redis@cache.example:6379',
      HUTONG_JWT_SECRET: 's3cr3t-jwt-of-the-old-system',
    },
  });
  assert.equal(status, 0);
  assert.match(out, /^ {2}--loops +3$/m);
  assert.match(out, /^ {2}--log-level +info {2}\(default\)\n {6}HUTONG_LOG_LEVEL; one of error warn info debug$/m);
  assert.match(out, /^ {2}--database +mysql:\/\/mei:\*\*\*@db\.example\/hutong$/m);
  assert.match(out, /^ {2}--redis +redis:\/\/:\*\*\*@cache\.example:6379$/m);
  assert.match(out, /^ {2}--jwt-secret +\*\*\*$/m);
  assert.doesNotMatch(out, /s3cr3t/);
  assert.match(out, /^Accounts$/m);
  assertFits(out);
});

test('the command line is stronger than the environment, which is stronger than .env', async (t) => {
  const cwd = await newFolder(t);
  await writeFile(path.join(cwd, '.env'), 'HUTONG_LOOPS=1\nHUTONG_WORKERS=2\nhutong_live_ping="7"\n');
  const { out } = await hutong(['settings', '--loops', '5'], {
    cwd, env: { HUTONG_LOOPS: '4', HUTONG_WORKERS: '6' },
  });
  assert.match(out, /--loops +5$/m);
  // Of two on the command line the last one counts.
  assert.match((await hutong(['settings', '--loops', '5', '--loops=6'])).out, /--loops +6$/m);
  assert.match(out, /--workers +6$/m);
  assert.match(out, /--live-ping +7$/m);
});

// setting, value, environment name, what the sentence says is allowed
const WRONG = [
  ['loops', 'many', 'HUTONG_LOOPS', 'a whole number from 0 to 256'],
  ['loops', '257', 'HUTONG_LOOPS', 'a whole number from 0 to 256'],
  ['loops', '-1', 'HUTONG_LOOPS', 'a whole number from 0 to 256'],
  ['connections-max', '0', 'HUTONG_CONNECTIONS_MAX', 'from 1 to 1000000'],
  ['token-minutes-form', '1.5', 'JWT_EXPIRE_MINUTES', 'a whole number'],
  ['mysql-port', '99999', 'MYSQL_PORT', 'from 1 to 65535'],
  ['gzip', 'perhaps', 'HUTONG_GZIP', 'on or off'],
  ['log-level', 'loud', 'HUTONG_LOG_LEVEL', 'error warn info debug'],
  ['jwt-algorithm', 'RS256', 'JWT_ALGORITHM', 'allowed: HS256'],
  ['upload-url-prefix', 'https://cdn.example/files', 'UPLOAD_URL_PREFIX', 'allowed: /files'],
  ['listen', '127.0.0.1', 'HUTONG_LISTEN', 'HOST:PORT'],
  ['listen', '127.0.0.1:70000', 'HUTONG_LISTEN', 'a port from 0 to 65535'],
  ['listen', '::1:8000', 'HUTONG_LISTEN', '[::1]:8000'],
  ['listen', ':8123', 'HUTONG_LISTEN', '127.0.0.1:8123 for this machine alone, 0.0.0.0:8123'],
  ['trusted-proxies', '10.0.0.300', 'HUTONG_TRUSTED_PROXIES', 'allowed: addresses like 127.0.0.1'],
  ['cors-origins', 'example.org', 'FRONTEND_URL', 'https://HOST'],
  ['cors-origins', 'https://example.org/', 'FRONTEND_URL', 'nothing behind it'],
  ['live-origins', 'https://a.example,*', 'HUTONG_LIVE_ORIGINS', 'https://HOST'],
];

test('a wrong setting stops the server with its name, its value and what is allowed', async (t) => {
  const cwd = await newFolder(t);
  for (const [name, value, variable, allowed] of WRONG) {
    const bad = value.includes('*') ? '*' : value;
    for (const given of [
      { args: [`--${name}`, value] },
      { args: [], env: { [variable]: value } },
    ]) {
      const { status, out, err } = await hutong(['serve', '--data', 'd', ...given.args], {
        cwd, env: given.env,
      });
      assert.equal(status, 2, `${name}=${value}`);
      assert.equal(out, '');
      assert.match(err, new RegExp(`^hutong: setting ${name}\\b`));
      assert.ok(err.includes(`"${bad}"`) && err.includes(allowed), err);
    }
  }
  assert.deepEqual(await readdir(cwd), []);
});

test('no data folder is a wrong setting, not the root of the machine', async (t) => {
  const cwd = await newFolder(t);
  for (const command of ['serve', 'user']) {
    const { status, err } = await hutong([command, '--data', ''], { cwd });
    assert.equal(status, 2);
    assert.match(err, /^hutong: setting data: "" is no folder; allowed: /);
  }
  assert.deepEqual(await readdir(cwd), []);
});

test('a wrong value in .env names the file', async (t) => {
  const cwd = await newFolder(t);
  await writeFile(path.join(cwd, '.env'), 'HUTONG_LIVE_PING=never\n');
  const { status, err } = await hutong(['serve'], { cwd });
  assert.equal(status, 2);
  assert.match(err, /setting live-ping is "never" \(from \.env HUTONG_LIVE_PING\); allowed: a whole number/);
});

// These may hold a secret, so the sentence shows no value.
test('a wrong URL or secret is named but not repeated', async () => {
  for (const [name, value, allowed] of [
    ['database', 'postgres://u:s3cr3t@h/d', 'sqlite:'],
    ['database', 'mysql://u:s3cr3t@h', 'mysql://USER:PASSWORD@HOST:PORT/NAME'],
    ['database', 'sqlite:', 'the path of a file'],
    ['redis', 'https://:s3cr3t@h', 'redis://HOST:PORT'],
    ['redis', 'redis://h:s3cr3t', 'redis://HOST:PORT'],
    ['jwt-secret', 's3cr3t', 'at least 16'],
    ['jwt-secret', 'your-secret-key-change-in-production', 'placeholder'],
  ]) {
    const env = { [`HUTONG_${name.toUpperCase().replace('-', '_')}`]: value };
    const { status, err } = await hutong(['serve'], { env });
    assert.equal(status, 2, name);
    assert.match(err, new RegExp(`^hutong: setting ${name}\\b`));
    assert.ok(err.includes(allowed), err);
    assert.doesNotMatch(err, /s3cr3t/);
  }
});

test('a secret does not belong on the command line, where whoever lists processes reads it', async () => {
  for (const name of ['jwt-secret', 'openai-key', 'mysql-password']) {
    const { status, err } = await hutong(['serve', `--${name}`, 's3cr3t']);
    assert.equal(status, 2);
    assert.match(err, new RegExp(`^hutong: --${name} would show a secret .* environment or in \\.env`));
    assert.doesNotMatch(err, /s3cr3t/);
  }
});

test('a password inside a URL is taken, hidden from the list of processes, and warned of', async () => {
  for (const args of [
    ['--redis', 'redis://mei:s3cr3t@127.0.0.1:1'], ['--redis=redis://:s3cr%40t@127.0.0.1:1'],
    ['--redis', 'redis://:s3cr3t@127.0.0.1:1', '--llm-sites', 'lab=http://h:8000/v1,own=http://u:s3cr3t@h/@v1'],
  ]) {
    const server = await startServer({ args });
    const line = (await readFile(`/proc/${server.pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    await server.stop();
    assert.match(line, /--redis[ =]redis:\/\/(mei)?:\*\*\*[*@]*127\.0\.0\.1:1/);
    if (args.length > 2) assert.match(line, /lab=http:\/\/h:8000\/v1,own=http:\/\/u:\*+@h\/@v1/);
    assert.doesNotMatch(line, /s3cr/);
    const told = server.log().split('\n').filter((words) => /lists processes/.test(words));
    assert.match(told[0], /^hutong: the password in --redis .* HUTONG_REDIS in the environment or in \.env/);
    assert.equal(told.length, args.length > 2 ? 2 : 1);
    assert.doesNotMatch(told.join(), /s3cr/);
  }
  const { err } = await hutong(['settings', '--database', 'mysql://mei@h/n', '--redis', 'redis://h:1/@x', '--openai-base', 'http://h:1']);
  assert.equal(err, '', 'none of these holds one');
  // It is still understood.
  const shown = await hutong(['settings', '--database', 'mysql://mei:s3cr3t@db.example/hutong']);
  assert.match(shown.out, /mysql:\/\/mei:\*\*\*@db\.example\/hutong/);
});

test('a name of a setting that is none is said, and the rest goes on', async (t) => {
  const cwd = await newFolder(t);
  await writeFile(path.join(cwd, '.env'), '\ufeffHUTONG_REGISTRATON=off\n\n# a comment\nHUTONG_LOOPS=2\nNOBODYS=1\nbroken\n');
  const { status, err } = await hutong(['serve', '--data', ''], { cwd, env: { HUTONG_LOOPSS: '3' } });
  assert.equal(status, 2);
  const nothing = 'is no setting and does nothing; `hutong settings` shows all';
  assert.deepEqual(err.split('\n').slice(0, 3), [`hutong: HUTONG_REGISTRATON in .env ${nothing}`,
    `hutong: line 6 of .env, which is no NAME=VALUE, ${nothing}`, `hutong: HUTONG_LOOPSS in the environment ${nothing}`]);
});

test('a folder or log file that cannot be made is a sentence, too', async (t) => {
  const cwd = await newFolder(t);
  await writeFile(path.join(cwd, 'file'), '');
  await mkdir(path.join(cwd, 'folder'));
  for (const [args, code, sentence] of [
    [['--data', 'file/d'], 1, 'setting data is "file/d"; allowed: a folder that is there or can be made'],
    [['--data', 'file'], 2, 'setting data is "file", which is no folder'],
    [['--data', 'd', '--upload-dir', 'file'], 2, 'setting upload-dir is "file", which is no folder'],
    [['--data', 'd', '--log-file', 'folder'], 1, 'setting log-file is "folder": '],
  ]) {
    const { status, err } = await hutong(['serve', '--listen', '127.0.0.1:0', ...args], { cwd });
    assert.equal(status, code);
    assert.ok(err.startsWith(`hutong: ${sentence}`), err);
  }
});

test('a command whose output could not be written says so and fails', async () => {
  const through = ['sh', '-c', 'exec "$@" >/dev/full', 'sh'];
  for (const args of [['--help'], ['--version'], ['help', 'db'], ['settings']]) {
    const { status, err } = await hutong(args, { through });
    assert.equal(status, 1, args.join(' '));
    assert.match(err, /^hutong: not all of the output could be written: No space left on device$/m);
  }
});

test('settings shows what serve would refuse, and ends as it promises', async () => {
  for (const [name, value] of [['listen', 'nowhere'], ['cors-origins', 'example.org'], ['trusted-proxies', '10.0.0.300'],
    ['database', 'oracle://x'], ['redis', 'nowhere']]) {
    const { status, out, err } = await hutong(['settings', `--${name}`, value]);
    assert.equal(status, 2, name);
    assert.match(out, new RegExp(`^  --${name} `, 'm'));
    assert.match(err, new RegExp(`^hutong: setting ${name}\\b`));
  }
});
