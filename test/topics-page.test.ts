import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { openEnvelope, sha256Hex } from '../protocol/envelope.js';
import { admitKey } from '../protocol/keys.js';
import { Control } from '../protocol/messages/control.js';
import { Metrics } from '../protocol/messages/metrics.js';
import { Status } from '../protocol/messages/status.js';
import { ENVELOPE_SCHEMAS } from '../protocol/messages.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'topics.md'), 'utf8');

const SCHEMAS = new Map<string, z.ZodType>([
  ...Object.entries(ENVELOPE_SCHEMAS),
  ...Control.options.map((option): [string, z.ZodType] => [option.shape.kind.value, Control]),
  ['status', Status],
  ['metrics', Metrics],
]);

test('every example in topics.md fits the schema of the message that it shows', () => {
  const examples = [...PAGE.matchAll(/<!-- generated:example (\S+) -->\n```json\n([\s\S]*?)\n```/g)];
  assert.ok(examples.length >= 15);
  for (const [, name = '', json = ''] of examples) {
    const schema = SCHEMAS.get(name);
    assert.ok(schema, name);
    assert.ok(schema.safeParse(JSON.parse(json)).success, name);
  }
});

/** Controls are shown one by one, and the end of the audit trail never leaves the store. */
const NOT_SHOWN: readonly string[] = ['muster-control', 'muster-audit-head'];

test('topics.md shows the members of every message', () => {
  for (const name of SCHEMAS.keys()) {
    const block = new RegExp(`<!-- generated:(fields|control) ${name.replace('+', '-')} -->`);
    if (!NOT_SHOWN.includes(name)) assert.match(PAGE, block);
  }
});

test('the worked envelope in topics.md verifies, step by step', () => {
  const step = (name: string): string => new RegExp(`^${name} +(\\S.*)$`, 'm').exec(PAGE)?.[1] ?? '';
  const key = createPrivateKey({ key: JSON.parse(step('key')), format: 'jwk' });
  const { kid, key: publicKey } = admitKey(createPublicKey(key).export({ format: 'jwk' }));

  const opened = openEnvelope(step('envelope'), {
    typ: 'muster-ack',
    maxBytes: 4096,
    keyOf: () => ({ key: publicKey, role: 'node' }),
  });

  assert.equal(kid, step('kid'));
  assert.equal(opened.payload.toString(), step('payload'));
  assert.equal(sha256Hex(opened.payload), step('SHA-256'));
  const signed = `${Buffer.from(step('header')).toString('base64url')}.${opened.payload.toString('base64url')}`;
  assert.equal(step('envelope'), `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`);
});

test('no link in topics.md leads nowhere', () => {
  const anchors = new Set([...PAGE.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => anchorOf(title)));
  for (const [, target = ''] of PAGE.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) assert.ok(anchors.has(target.slice(1)), target);
    else assert.ok(existsSync(join(ROOT, target)), target);
  }
});

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}
