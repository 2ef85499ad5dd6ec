import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnyParameters, describeTarget, InvocationTarget } from '../../../controller/http/target-schemas.js';

test('a target is nodes or one integration, and never both', () => {
  assert.equal(describeTarget(InvocationTarget.parse({ integration: 'sentry' })), 'integration sentry');
  assert.equal(describeTarget(InvocationTarget.parse({ group: 'pumps' })), 'group pumps');
  for (const target of [{ integration: 'sentry', fleet: true }, { integration: 'a/b' }, { integration: 7 }, {}]) {
    assert.equal(InvocationTarget.safeParse(target).success, false, JSON.stringify(target));
  }
});

test('parameters that are too many, too long or nested a hundred thousand levels deep are refused', () => {
  const deep: unknown = JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`);
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`p${at}`, 1]));
  for (const parameters of [{ deep }, many, { text: 'x'.repeat(70_000) }]) {
    assert.equal(AnyParameters.safeParse(parameters).success, false);
  }
  assert.equal(AnyParameters.safeParse({ filter: { state: { in: ['open'] } } }).success, true);
});
