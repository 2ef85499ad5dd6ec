import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSecrets, type Secrets } from '../../../runtime/masking/mask.js';
import { spellingsOf } from '../../../runtime/masking/spellings.js';
import { REDACTED } from '../../../runtime/masking/stream.js';

const VALUE = 'pa ss/wö"rd&<1>?~';

function secretsOf(...values: string[]): Secrets {
  const secrets = createSecrets();
  secrets.register('test', values);
  return secrets;
}

/** In pieces that end at these places. */
function inPieces(secrets: Secrets, octets: Buffer, cuts: readonly number[]): Buffer {
  const stream = secrets.mask.stream();
  if (stream === undefined) return octets;
  const places = [0, ...[...cuts].sort((a, b) => a - b), octets.length];
  const parts = places.slice(1).map((end, index) => stream.push(octets.subarray(places[index], end)));
  return Buffer.concat([...parts, stream.end()]);
}

test('promise 22: a value is masked as it is, in JSON, in a URL, in hex and in Base64', () => {
  const { mask } = secretsOf(VALUE);
  const octets = Buffer.from(VALUE);
  const spelled = [
    VALUE,
    JSON.stringify({ password: VALUE }),
    JSON.stringify(JSON.stringify([VALUE])),
    '"pa ss\\/w\\u00f6\\"rd&<1>?~"',
    '"pa ss/w\\u00f6\\"rd\\u0026\\u003c1\\u003e?~"',
    `https://example.org/?q=${encodeURIComponent(VALUE)}`,
    encodeURIComponent(VALUE).replace(/%[0-9A-F]{2}/g, (escaped) => escaped.toLowerCase()),
    encodeURI(VALUE),
    new URLSearchParams({ q: VALUE }).toString(),
    octets.toString('hex'),
    octets.toString('hex').toUpperCase(),
    ...['', 'x', 'xy'].flatMap((before) => {
      const whole = Buffer.from(`${before}${VALUE}${before}`);
      return [whole.toString('base64'), whole.toString('base64url')];
    }),
  ];

  for (const text of spelled) {
    const masked = mask.text(`before ${text} after`);
    assert.match(masked, /^before .*\[redacted\].* after$/, text);
    assert.ok(masked.length < text.length + REDACTED.length + 14, text);
  }
});

test('promise 22: no cut of what comes in pieces lets a value through', () => {
  const secrets = secretsOf(VALUE, 'another-value', 'another-value-that-is-longer', 'value-that');
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(...['another-value', 'value-that', VALUE].flatMap(spellingsOf).map((each) => each.toString())),
      fc.constantFrom('another-', 'value-', 'a', 'pa ss'),
      fc.string(),
    ),
  );

  fc.assert(
    fc.property(pieces, fc.array(fc.nat(400)), (texts, cuts) => {
      const octets = Buffer.from(texts.join(''));
      const whole = inPieces(secrets, octets, []);
      const cut = inPieces(
        secrets,
        octets,
        cuts.map((at) => at % (octets.length + 1)),
      );
      assert.deepEqual(cut.toString('latin1'), whole.toString('latin1'));
      for (const spelled of [VALUE, 'another-value', 'value-that'].flatMap(spellingsOf)) {
        assert.ok(!cut.includes(spelled), spelled.toString());
      }
    }),
  );
});

test('of a stream only what may begin a value is held back', () => {
  const stream = secretsOf('s3cr3t-value').mask.stream();
  assert.ok(stream !== undefined);

  assert.equal(stream.push(Buffer.from('Password: ')).toString(), 'Password: ');
  assert.equal(stream.push(Buffer.from('is s3cr3')).toString(), 'is ');
  assert.equal(stream.push(Buffer.from('t of mine')).toString(), 's3cr3t of mine');
  assert.equal(stream.push(Buffer.from('and s3c')).toString(), 'and ');
  assert.equal(stream.end().toString(), 's3c');
});

test('what holds no value passes unchanged, and without a copy', () => {
  const { mask } = secretsOf('s3cr3t-value');
  const octets = Buffer.from([0xff, 0xfe, 0x00, 0x73, 0x33]);
  const json = { list: [1, 'text', null, { deep: true }] };

  assert.equal(mask.octets(octets), octets);
  assert.equal(mask.json(json), json);
  assert.equal(mask.text('lone \ud800 surrogate'), 'lone \ud800 surrogate');
});

test('values that overlap leave one mark, and values that follow each other two', () => {
  const { mask } = secretsOf('aaaaaaaa', 'aaaabbbb');

  assert.equal(mask.text('<aaaaaaaaaaaa>'), `<${REDACTED}>`);
  assert.equal(mask.text('<aaaaaaaabbbb>'), `<${REDACTED}>`);
  assert.equal(mask.text('<aaaabbbbaaaabbbb>'), `<${REDACTED}${REDACTED}>`);
});

test('S-A-27: what a cut left of a value is masked when it is the first half of it, or more', () => {
  const { mask } = secretsOf('0123456789abcdefghij');

  assert.equal(mask.text('cut off at 0123456789'), `cut off at ${REDACTED}`);
  assert.equal(mask.text('cut off at 012345678'), 'cut off at 012345678');
});

test('of what people type no beginning of a value is masked, since they would find the rest of it out by that', () => {
  const value = '0123456789abcdefghij';
  const { mask } = secretsOf(value);

  for (let length = 1; length < value.length; length += 1) {
    const tried = `is it ${value.slice(0, length)}`;
    assert.equal(mask.typed(tried), tried);
    assert.deepEqual(mask.json({ tried }), { tried });
  }
  assert.equal(mask.typed(`it is ${value}`), `it is ${REDACTED}`);
});

test('a number of JSON that is a value is masked, and no other', () => {
  const { mask } = secretsOf('12345678');

  assert.deepEqual(mask.json({ pin: 12345678, others: [123456789, 1.2345678] }), {
    pin: REDACTED,
    others: [123456789, 1.2345678],
  });
});

test('names and texts of JSON are masked at any depth, and it stays JSON', () => {
  const { mask } = secretsOf('nabcdefgh');

  assert.deepEqual(mask.json({ a: [{ 'is nabcdefgh': 'line\nabcdefgh' }, 'nabcdefgh', 7] }), {
    a: [{ [`is ${REDACTED}`]: 'line\nabcdefgh' }, REDACTED, 7],
  });
});

test('of a key in PEM each line is masked, whatever stands before it', () => {
  const line = 'MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp';
  const { mask } = secretsOf(`-----BEGIN PRIVATE KEY-----\n${line}\n-----END PRIVATE KEY-----`);

  assert.equal(mask.text(`key> ${line}`), `key> ${REDACTED}`);
  assert.equal(mask.text('-----BEGIN PRIVATE KEY-----'), '-----BEGIN PRIVATE KEY-----');
});

test('values are masked from the moment they are registered, until they are not any more', () => {
  const secrets = createSecrets();
  assert.equal(secrets.mask.isOn(), false);
  assert.equal(secrets.mask.stream(), undefined);

  secrets.register('one', ['first-value', 'short']);
  secrets.register('two', ['second-value']);
  assert.equal(secrets.mask.text('first-value short second-value'), `${REDACTED} short ${REDACTED}`);

  secrets.register('one', []);
  assert.equal(secrets.mask.text('first-value second-value'), `first-value ${REDACTED}`);
});

test('a stream goes on where another one was left, also within a value that is masked already', () => {
  const secrets = secretsOf('one-value', 'one-value-and-a-longer-one', 'longer-one-at-the-end');
  const text = 'begin one-value-and-a-longer-one-at-the-end and one-val';

  for (let at = 0; at <= text.length; at += 1) {
    const first = secrets.mask.stream();
    const given = first?.push(Buffer.from(text.slice(0, at)));
    const second = secrets.mask.stream(first?.held());
    const rest = [second?.push(Buffer.from(text.slice(at))), second?.end()];
    assert.equal(`${given}${rest.join('')}`, `begin ${REDACTED} and one-val`);
  }
});
