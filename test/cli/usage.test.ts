import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMMANDS } from '../../cli/commands/list.js';
import { freePort } from '../support/free-port.js';
import { runMuster } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const RUN = ['run', 'ping'];

const WRONG: readonly (readonly [why: string, args: readonly string[], says: RegExp])[] = [
  ['no command', [], /^Usage: muster/],
  ['an unknown command', ['nodez'], /unknown command 'nodez'/],
  ['an unknown option', ['nodes', '--nope'], /unknown option '--nope'/],
  ['a word too many', ['nodes', 'a'], /too many arguments/],
  ['no action', ['run'], /missing required argument 'action'/],
  ['no target', RUN, /exactly one of --node, --group, --label and --all/],
  ['two targets', [...RUN, '--all', '--group', 'pumps'], /exactly one of/],
  ['a parameter without =', [...RUN, '--all', 'fast'], /"fast" is not a parameter/],
  ['a parameter twice', [...RUN, '--all', 'a=1', 'a=2'], /given twice/],
  ['a label without =', [...RUN, '--label', 'north'], /"north" is not a label/],
  ['a label with two values', [...RUN, '--label', 'site=north', '--label', 'site=south'], /site has two values/],
  ['a pause without batches', [...RUN, '--all', '--pause', '1m'], /need --batch/],
  ['a batch that is no share', [...RUN, '--all', '--batch', 'few'], /--batch takes a whole number, or a percentage/],
  ['a limit that is none', ['invocations', '--limit', '0'], /whole number from 1 to 10000/],
  ['a time that is none', ['invocations', '--since', 'yesterday'], /a duration such as 2h, or a time/],
  ['uses that are none', ['enroll-token', 'create', '--uses', 'many'], /whole number from 1 to 100000/],
  ['no verb', ['enroll-token'], /^Usage: muster enroll-token/],
  ['a role that there is not', ['broker-credential', 'node'], /Allowed choices are monitor, controller/],
  ['an id that is none', ['show', 'x'], /an id as muster run and muster invocations print it/],
  ['a user of whom nothing changes', ['user', 'set', 'ann'], /--role, --password, --disable or --enable/],
  ['an address that is none', ['nodes', '--url', 'ftp://x', '--token', 'x'], /is not an http or https URL/],
];

for (const [why, args, says] of WRONG) {
  test(`the command line with ${why} ends with 2 and a sentence on stderr`, async (t) => {
    const { exitCode, stdout, stderr } = await runMuster(t, args);

    assert.equal(exitCode, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, says);
  });
}

test('every command has a summary in the help and a help of its own with examples', async (t) => {
  const whole = await runMuster(t, ['help']);
  assert.deepEqual([whole.exitCode, whole.stderr], [0, '']);

  for (const { name, summary } of COMMANDS) {
    assert.ok(whole.stdout.includes(`${name} `) && whole.stdout.includes(summary), name);
    const own = await runMuster(t, [name, '--help']);
    assert.deepEqual([own.exitCode, own.stderr], [0, ''], name);
    assert.match(own.stdout, /\nExamples:\n {2}\$ muster /, name);
  }
});

test('the version is printed alone', async (t) => {
  assert.deepEqual(await runMuster(t, ['--version']), { exitCode: 0, stdout: '0.1.0\n', stderr: '' });
});

test('without an installation a command ends with 69 and says how to make one', async (t) => {
  const data = temporaryDirectory(t);

  const { exitCode, stdout, stderr } = await runMuster(t, ['nodes', '--data', data]);

  assert.deepEqual([exitCode, stdout], [69, '']);
  assert.equal(
    stderr,
    `muster: There is no Muster installation in ${data} [unavailable]\n  What to do: start it with: muster up.\n`,
  );
});

test('a cli.json that cannot be used ends with 78', async (t) => {
  const data = temporaryDirectory(t);
  for (const content of ['', '{', '{"url":"http://127.0.0.1:1"}', '{"url":"file:///etc","token":"x"}']) {
    writeFileSync(join(data, 'cli.json'), content);

    const { exitCode, stderr } = await runMuster(t, ['nodes'], { MUSTER_DATA: data });

    assert.equal(exitCode, 78);
    assert.match(stderr, /cli\.json does not hold the url and token/);
  }
});

test('an address without a token ends with 77: a kept token is not sent elsewhere', async (t) => {
  const data = temporaryDirectory(t);
  writeFileSync(join(data, 'cli.json'), '{"url":"http://127.0.0.1:1","token":"mst_kept_secret"}');

  const { exitCode, stderr } = await runMuster(t, ['nodes', '--data', data, '--url', 'http://127.0.0.1:2']);

  assert.equal(exitCode, 77);
  assert.match(stderr, /No token for http:\/\/127\.0\.0\.1:2/);
  assert.doesNotMatch(stderr, /mst_kept/);
});

test('a controller that is not there ends with 69 and a plain sentence', async (t) => {
  const port = await freePort();

  const { exitCode, stdout, stderr } = await runMuster(t, ['nodes'], {
    MUSTER_URL: `http://127.0.0.1:${port}`,
    MUSTER_TOKEN: 'x',
  });

  assert.deepEqual([exitCode, stdout], [69, '']);
  assert.match(
    stderr,
    new RegExp(`^muster: No controller answers at http://127\\.0\\.0\\.1:${port} \\(ECONNREFUSED\\)`),
  );
});

test('something else that answers is told from a controller, and a redirect does not get the token', async (t) => {
  const tokens: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    tokens.push(request.headers.authorization);
    if (request.url?.startsWith('/moved') === true) response.writeHead(302, { location: '/elsewhere' }).end();
    else response.writeHead(request.url?.startsWith('/fails') === true ? 500 : 200).end('<h1>\x1b[31mhello</h1>');
  });
  await new Promise<void>((bound) => server.listen(0, '127.0.0.1', bound));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;

  for (const path of ['', '/fails', '/moved']) {
    const { exitCode, stdout, stderr } = await runMuster(t, ['nodes'], {
      MUSTER_URL: `http://127.0.0.1:${port}${path}`,
      MUSTER_TOKEN: 'x',
    });
    assert.deepEqual([exitCode, stdout], [69, ''], stderr);
    assert.doesNotMatch(stderr, /\x1b/);
  }
  assert.equal(tokens.length, 3);
});

test('a wrong setting of a part ends with 78, and every fault is named', async (t) => {
  const { exitCode, stderr } = await runMuster(t, ['broker', '--port', '99999', '--max-connections', 'many'], {
    MUSTER_BROKER_NOPE: '1',
  });

  assert.equal(exitCode, 78);
  for (const key of ['broker.port', 'broker.max_connections', 'broker.nope']) assert.ok(stderr.includes(key), key);
});
