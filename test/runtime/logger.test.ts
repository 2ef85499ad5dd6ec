import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createLogger } from '../../runtime/logger.js';
import { VERSION } from '../../runtime/version.js';

test('a line is JSON with a time in RFC 3339, the level in words and the error under err', () => {
  const lines: string[] = [];
  const log = createLogger('agent', { destination: { write: (line) => lines.push(line) } });

  log.error({ err: new Error('disk full'), action: 'ping' }, 'journal not written');
  log.debug('not at this level');

  assert.equal(lines.length, 1);
  const { level, time, part, action, err, msg } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(
    { level, part, action, msg },
    { level: 'error', part: 'agent', action: 'ping', msg: 'journal not written' },
  );
  assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.equal(err.message, 'disk full');
});

test('passwords and tokens are not written, also one level down', () => {
  const lines: string[] = [];
  const log = createLogger('agent', { destination: { write: (line) => lines.push(line) } });

  log.info(
    { password: 'canary', token: 'canary', broker: { password: 'canary', authorization: 'canary' } },
    'enrolled',
  );

  assert.doesNotMatch(lines.join(''), /canary/);
  assert.match(lines.join(''), /\[redacted\]/);
});

test('the release is the one in package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.equal(VERSION, version);
});
