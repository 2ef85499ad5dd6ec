import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { redactValue } from '../../../controller/events/redact.js';
import { createScrubber } from '../../../controller/integrations/scrub.js';

test('A-61: what is a secret by its name is left out at any depth, and nothing else', () => {
  const secrets = { token: 'a', Secret: 1, password: ['x'], Authorization: {}, api_key: true, apikey: null };
  const value = { id: '1', list: [{ deep: { ...secrets, user_token: 'b', title: 'c' } }] };

  const { list } = Object(redactValue(value, (text) => text));
  const { title, ...redacted } = list[0].deep;
  assert.equal(title, 'c');
  assert.deepEqual(Object.keys(redacted), [...Object.keys(secrets), 'user_token']);
  assert.deepEqual([...new Set(Object.values(redacted))], ['[redacted]']);
});

test('a value that is nested a hundred thousand levels deep is cut and does not run the stack out', () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  assert.match(JSON.stringify(redactValue(deep, (text) => text)), /^\[{32}"\[nested too deep\]"\]{32}$/);
});

test('a secret is taken out in whatever common spelling it comes back', () => {
  const anySecret = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((at) => String.fromCharCode(at)),
    minLength: 12,
    maxLength: 60,
  });
  fc.assert(
    fc.property(anySecret, fc.string({ maxLength: 5 }), (secret, before) => {
      const scrub = createScrubber([secret]);
      const spellings = [
        secret,
        encodeURIComponent(secret),
        JSON.stringify(secret),
        Buffer.from(secret).toString('hex'),
        Buffer.from(`${before}${secret}`).toString('base64'),
        Buffer.from(`${before}${secret}:x`).toString('base64url'),
      ];
      for (const spelling of spellings) assert.match(scrub(`said ${spelling}.`), /\[redacted\]/, spelling);
    }),
  );
});
