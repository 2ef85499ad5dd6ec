import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworks, createPublicCheck } from '../../../controller/webhooks/addresses.js';

test('loopback, link-local, private and special addresses are not public, in whichever clothes', () => {
  const isPublic = createPublicCheck();
  for (const address of [
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
    ...['169.254.169.254', '100.64.0.1', '192.0.0.8', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12::1', 'ff02::1', '64:ff9b::7f00:1', '2001:db8::1'],
    ...['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '2002:7f00:1::', '2001:0:1::1', '3fff::1', 'fec0::1'],
    ...['', 'localhost', '127.1', '0x7f.1', '8.8.8.8 '],
  ]) {
    assert.equal(isPublic(address), false, address);
  }
  for (const address of ['8.8.8.8', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1', '2a00:1450::1']) {
    assert.equal(isPublic(address), true, address);
  }
});

test('a network holds what it says and nothing else, and what is none is refused', () => {
  const networks = createNetworks(['10.1.0.0/16', '127.0.0.1', 'fd00::/8']);
  assert.deepEqual(['10.1.255.1', '10.2.0.1', '127.0.0.1', '127.0.0.2', 'fd12::1', 'fe80::1', 'x'].map(networks.has), [
    true,
    false,
    true,
    false,
    true,
    false,
    false,
  ]);
  for (const wrong of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '10.0.0/8', 'fd00::/129', 'example.org', '']) {
    assert.throws(() => createNetworks([wrong]), RangeError, wrong);
  }
});
