import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePayload } from '../../protocol/envelope.js';
import { Ack } from '../../protocol/messages/ack.js';
import { Request } from '../../protocol/messages/request.js';
import { assertThrowsCode } from '../support/assert-code.js';
import { ENVELOPE_EXAMPLES } from '../support/examples.js';

const ACK = ENVELOPE_EXAMPLES['muster-ack'];
const REQUEST = ENVELOPE_EXAMPLES['muster-request'];

test('a payload that is not UTF-8 JSON is refused as payload_malformed', () => {
  for (const bytes of [Buffer.from('{'), Buffer.from(''), Buffer.from([0x22, 0xff, 0x22]), Buffer.from("{'v':1}")])
    assertThrowsCode(() => parsePayload(Ack, bytes), 'payload_malformed');
});

test('another version is refused as unknown_version, whatever else it holds', () => {
  for (const v of [0, 2, 99])
    assertThrowsCode(() => parsePayload(Ack, Buffer.from(JSON.stringify({ ...ACK, v }))), 'unknown_version');
  for (const v of ['1', null, undefined, {}])
    assertThrowsCode(() => parsePayload(Ack, Buffer.from(JSON.stringify({ ...ACK, v }))), 'payload_invalid');
});

test('JSON that is no object is refused as payload_invalid', () => {
  for (const text of ['null', '1', '"v"', '[]', 'true'])
    assertThrowsCode(() => parsePayload(Ack, Buffer.from(text)), 'payload_invalid');
});

test('unknown members are ignored, so that a newer peer may add some', () => {
  assert.deepEqual(parsePayload(Ack, Buffer.from(JSON.stringify({ ...ACK, added_in_2027: [1] }))), ACK);
});

test('a member named __proto__ is refused at any depth and in any spelling', () => {
  for (const name of ['__proto__', '\\u005f_proto__', '__prot\\u006F__']) {
    const inside = JSON.stringify(REQUEST).replace('"retries"', `"${name}"`);
    const outside = JSON.stringify(ACK).replace('{', `{"${name}":{"status":"accepted"},`);
    assertThrowsCode(() => parsePayload(Request, Buffer.from(inside)), 'payload_invalid');
    assertThrowsCode(() => parsePayload(Ack, Buffer.from(outside)), 'payload_invalid');
  }
});

test('a value may be __proto__, and a parameter may be named constructor', () => {
  const request = { ...REQUEST, parameters: { constructor: '__proto__', toString: '"__proto__":' } };

  const parsed = parsePayload(Request, Buffer.from(JSON.stringify(request)));

  assert.deepEqual({ ...parsed.parameters }, request.parameters);
});
