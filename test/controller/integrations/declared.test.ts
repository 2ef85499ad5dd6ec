import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Adapter } from '../../../controller/integrations/adapter.js';
import { readDeclaredFile } from '../../../controller/integrations/declared/read-file.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import type { TestScope } from '../../support/broker.js';
import { connectAdapter } from '../../support/connect-adapter.js';
import type { Reply } from '../../support/stand-in.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const TICKETS = `
v: 1
adapters:
  - name: tickets
    base_url: https://tickets.example/api/v2
    token_header: x-api-token
    token_prefix: ""
    headers: {accept: application/vnd.tickets+json}
    test: /me
    actions:
      - name: find
        risk: read
        path: /queues/{queue}/tickets
        query: {state: "{state}", per_page: 20}
        parameters:
          - {name: queue, required: true, description: Name of the queue}
          - {name: state}
      - name: create
        risk: write
        method: POST
        path: /queues/{queue}/tickets
        body: {title: "{title}", urgent: "{urgent}", fields: "{fields}", source: muster, tags: ["fleet", "{tag}"]}
        parameters:
          - {name: queue, required: true}
          - {name: title, required: true}
          - {name: urgent, type: boolean}
          - {name: fields, type: object}
          - {name: tag}
`;

test('A-39: an adapter that a file declares asks what its templates say, with its token in its own header', async (t) => {
  const adapter = oneOf(t, TICKETS);
  const { execute, check, standIn } = await connectAdapter(t, adapter, () => ({ json: { id: 7 } }), '/api/v2');

  assert.deepEqual(await execute('find', { queue: 'pumps north'.replace(' ', '-'), state: 'open&x=1' }), { id: 7 });
  const found = standIn.last();
  assert.deepEqual([found.method, found.path], ['GET', '/api/v2/queues/pumps-north/tickets']);
  assert.deepEqual(found.query, { state: 'open&x=1', per_page: '20' });
  assert.deepEqual(
    [found.headers['x-api-token'], found.headers.accept],
    ['the-token-of-it', 'application/vnd.tickets+json'],
  );

  await execute('create', { queue: 'pumps', title: 'Say "hi" {tag}', urgent: true, fields: { a: [1] } });
  const { method, path, body } = standIn.last();
  assert.deepEqual([method, path], ['POST', '/api/v2/queues/pumps/tickets']);
  assert.deepEqual(body, {
    title: 'Say "hi" {tag}',
    urgent: true,
    fields: { a: [1] },
    source: 'muster',
    tags: ['fleet'],
  });

  await check();
  assert.deepEqual([standIn.last().method, standIn.last().path], ['GET', '/api/v2/me']);
});

test('a declared action fails when its success does not hold what it promises; a change that promises nothing may answer so', async (t) => {
  let reply: Reply = { text: '' };
  const promising = TICKETS.replace('name: find', 'name: find\n        answer: list').replaceAll(
    'method: POST',
    'method: POST\n        answer: object',
  );
  const plain = await connectAdapter(t, oneOf(t, TICKETS), () => reply);
  const strict = await connectAdapter(t, oneOf(t, promising), () => reply);
  const find = ['find', { queue: 'pumps' }] as const;
  const create = ['create', { queue: 'pumps', title: 'x' }] as const;

  assert.equal(await plain.execute(...create), null);
  await assert.rejects(plain.execute(...find), {
    code: 'integration_failed',
    message: 'tickets answered 200 with nothing',
  });
  await assert.rejects(strict.execute(...create), {
    code: 'outcome_unknown',
    message: /^tickets answered 200 with nothing/,
  });
  reply = { text: 'ok' };
  await assert.rejects(plain.execute(...create), { code: 'outcome_unknown', message: /^tickets .* what is not JSON/ });
  reply = { status: 204, text: '' };
  assert.equal(await plain.execute(...find), null);
  await assert.rejects(strict.execute(...find), { code: 'integration_failed' });
  reply = { json: { id: 7 } };
  assert.deepEqual(await strict.execute(...create), { id: 7 });
  await assert.rejects(strict.execute(...find), { message: 'tickets answered 200 with what is no list' });
});

test('what is filled into a declared path stays in its place', async (t) => {
  const { execute, standIn } = await connectAdapter(t, oneOf(t, TICKETS), () => ({ json: {} }));
  for (const queue of ['../admin', '..', 'a/b', '%2e%2e', 'x?y', '\\x', 'a#b']) {
    await assert.rejects(execute('find', { queue }), { code: 'invalid_parameter' });
  }
  await assert.rejects(execute('find', { queue: '' }), { code: 'missing_required_parameter' });
  await assert.rejects(execute('create', { queue: 'a', title: 'b', urgent: 'yes' }), { code: 'invalid_parameter' });
  assert.equal(standIn.requests.length, 0);
});

test('a file with faults keeps the controller from starting, and names each of them', (t) => {
  const faults: readonly (readonly [change: (text: string) => string, fault: RegExp])[] = [
    [(text) => text.replace('/queues/{queue}/tickets', '/queues/../{queue}'), /must begin with \//],
    [(text) => text.replace('/queues/{queue}/tickets', '/queues/x{queue}'), /must begin with \//],
    [(text) => text.replace('/queues/{queue}/tickets', 'https://elsewhere.example/'), /must begin with \//],
    [(text) => text.replace('"{state}"', '"{colour}"'), /\{colour\} is none of its parameters/],
    [(text) => text.replace('"{state}"', 'open'), /the parameter state is used nowhere/],
    [
      (text) => text.replace('{name: queue, required: true, description: Name of the queue}', '{name: queue}'),
      /must be required/,
    ],
    [(text) => text.replace('name: tickets', 'name: sentry'), /sentry is an adapter of the controller itself/],
    [(text) => text.replace('test: /me', 'test: /{me}'), /takes no parameter/],
    [(text) => text.replace('https://tickets', 'https://a:b@tickets'), /without a user/],
    [(text) => text.replace('risk: read', 'risk: harmless'), /risk/],
    [(text) => text.replace('risk: read', 'body: {a: 1}\n        risk: read'), /a GET has no body/],
    [(text) => text.replace('name: create', 'name: find'), /names an action twice/],
    [(text) => text.replace('test: /me', 'test: /me\n    script: rm -rf'), /script/],
    [(text) => `${text}\n  : [`, /line \d+/],
  ];
  for (const [change, fault] of faults) {
    const file = fileWith(t, change(TICKETS));
    assert.match(assertThrowsCode(() => readDeclaredFile(file), 'config_invalid').message, fault);
  }
  assertThrowsCode(() => readDeclaredFile('/nowhere/adapters.yaml'), 'config_invalid');
  assertThrowsCode(() => readDeclaredFile(fileWith(t, `# ${'x'.repeat(300_000)}`)), 'config_invalid');
});

test('an approval of a declared action is for the template as it was', (t) => {
  const [before, after] = [TICKETS, TICKETS.replace('source: muster', 'source: another')].map((text) => oneOf(t, text));
  const fingerprints = [before, after].map((adapter) => adapter?.actions.map(({ fingerprint }) => fingerprint));
  assert.equal(fingerprints[0]?.[0], fingerprints[1]?.[0]);
  assert.notEqual(fingerprints[0]?.[1], fingerprints[1]?.[1]);
});

function oneOf(t: TestScope, text: string): Adapter {
  const [adapter] = readDeclaredFile(fileWith(t, text)).adapters;
  return adapter ?? assert.fail('nothing was declared');
}

function fileWith(t: TestScope, text: string): string {
  const file = join(temporaryDirectory(t), 'adapters.yaml');
  writeFileSync(file, text);
  return file;
}
