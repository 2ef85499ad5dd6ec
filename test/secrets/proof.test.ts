import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proveSecrets } from './prove.js';
import { isFound } from './search.js';

test('promise 22: no secret stands in store, journal, logs, MQTT, answers, events or audit, but where it has to be', async (t) => {
  const { hits, places, canaries } = await proveSecrets(t);

  assert.deepEqual(
    hits.filter(({ reason }) => reason === undefined),
    [],
  );
  for (const place of ['mqtt agent', 'mqtt controller', 'events', 'table results', 'table audit', 'table outputs']) {
    assert.ok(places.includes(place), `${place} in ${places}`);
  }
  // What the search finds where a secret has to be shows that it would find it elsewhere.
  for (const canary of ['onController', 'ownerToken', 'agentKey', 'controllerKey', 'vaultKey', 'apiToken']) {
    assert.ok(canaries.includes(canary) && hits.some((hit) => hit.canary === canary), canary);
  }
});

test('the search finds a value in each form, and within what is signed', () => {
  const value = 'a "canary"/with+every<thing>&1';
  const signed = `header.${Buffer.from(JSON.stringify({ stdout: value })).toString('base64url')}.signature`;
  const base64 = ['', 'x', 'xx', 'xxx'].map((before) => Buffer.from(`${before}${value}yy`).toString('base64'));

  for (const text of [value, signed, ...base64, encodeURIComponent(value), Buffer.from(value).toString('hex')]) {
    assert.ok(isFound(value, Buffer.from(`before ${text} after`)), text);
  }
  assert.equal(isFound(value, Buffer.from('a canary')), false);
});
