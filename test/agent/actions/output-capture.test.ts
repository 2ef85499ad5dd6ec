import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CUT_MARK,
  createOutputCapture,
  decodedLength,
  type EncodedBytes,
  type OutputCapture,
  type OutputPiece,
} from '../../../agent/actions/output-capture.js';
import { MAX_CHUNK_BYTES } from '../../../protocol/messages/output.js';

const KIB = 1024;

/** Text or arbitrary bytes, cut at arbitrary places. */
const writes = fc
  .oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 200 }))
  .chain((given) => {
    const bytes = Buffer.from(given);
    return fc
      .array(fc.nat({ max: bytes.length }), { maxLength: 8 })
      .map((cuts) => [0, ...cuts.sort((a, b) => a - b), bytes.length])
      .map((cuts) => cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end)));
  });

test('promise 14: what is left off in the middle is said to be cut, on both streams, and splits no character', () => {
  const capture = createOutputCapture({ maxBytes: KIB });
  capture.write('stdout', Buffer.from('Grüße').subarray(0, 3)); // half of the ü

  capture.leaveOff?.();
  capture.write('stderr', 'too late');

  const [stdout, stderr] = [capture.summary('stdout'), capture.summary('stderr')];
  assert.deepEqual([stdout.truncated, capture.inline('stdout').data], [true, 'Gr']);
  assert.deepEqual([stderr.truncated, stderr.bytes], [true, 0]);
});

test('promise 14: whatever the split, the pieces are the captured bytes and the SHA-256 is theirs', () => {
  fc.assert(
    fc.property(
      writes,
      fc.integer({ min: 4, max: 400 }),
      fc.integer({ min: 4, max: 64 }),
      (parts, maxBytes, maxPieceBytes) => {
        const capture = createOutputCapture({ maxBytes, maxPieceBytes });
        for (const part of parts) capture.write('stdout', part);
        const given = Buffer.concat(parts);

        const pieces = chunksOf(capture);

        const joined = Buffer.concat(pieces.map(decode));
        const { bytes, sha256, truncated } = capture.summary('stdout');
        assert.equal(truncated, given.length > maxBytes);
        assert.ok(joined.equals(given.subarray(0, bytes)));
        assert.ok(truncated ? bytes <= maxBytes && bytes > maxBytes - 4 : bytes === given.length);
        assert.equal(sha256, createHash('sha256').update(joined).digest('hex'));
        assertInOrder(pieces, bytes);
      },
    ),
  );
});

test('pieces that are taken while the execution runs are the captured bytes too', () => {
  fc.assert(
    fc.property(
      writes,
      fc.integer({ min: 4, max: 400 }),
      fc.integer({ min: 4, max: 64 }),
      (parts, maxBytes, maxPieceBytes) => {
        const capture = createOutputCapture({ maxBytes, maxPieceBytes });
        const pieces: OutputPiece[] = [];
        let offset = 0;
        const take = (ended: boolean): void => {
          for (;;) {
            const range = capture.cut('stderr', offset, ended);
            if (range === undefined) return;
            const piece = capture.piece(range);
            pieces.push(piece);
            offset = range.end;
            if (piece.last) return;
          }
        };

        for (const part of parts) {
          capture.write('stderr', part);
          take(false);
        }
        take(true);

        const { bytes, sha256 } = capture.summary('stderr');
        assert.equal(offset, bytes);
        assert.equal(
          sha256,
          createHash('sha256')
            .update(Buffer.concat(pieces.map(decode)))
            .digest('hex'),
        );
        assertInOrder(pieces, bytes);
      },
    ),
  );
});

test('text stays text in every piece, inline and at the limit: no character is cut', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.integer({ min: 4, max: 300 }),
      fc.integer({ min: 20, max: 300 }),
      (text, maxBytes, inlineBytes) => {
        const capture = createOutputCapture({ maxBytes, maxPieceBytes: 7 });
        for (const byte of Buffer.from(text)) capture.write('stdout', Uint8Array.of(byte));

        const inline = capture.inline('stdout', inlineBytes);

        assert.equal(inline.encoding, 'utf-8');
        assert.ok(Buffer.byteLength(inline.data) <= inlineBytes);
        for (const part of inline.data.split(CUT_MARK)) assert.ok(text.includes(part));
        for (const piece of chunksOf(capture)) assert.ok(piece.encoding === 'utf-8' && text.includes(piece.data));
      },
    ),
  );
});

test('P-44, S-P-37: 200 bytes at a limit of 64 leave 64 and say that more came, for each stream alone', () => {
  const capture = createOutputCapture({ maxBytes: 64 });

  capture.write('stdout', 'x'.repeat(200));
  capture.write('stderr', 'y'.repeat(64));

  assert.deepEqual(capture.inline('stdout'), { data: 'x'.repeat(64), encoding: 'utf-8' });
  assert.equal(capture.summary('stdout').truncated, true);
  assert.equal(capture.summary('stderr').bytes, 64);
  assert.equal(capture.summary('stderr').truncated, false);
});

test('empty output has no pieces, the SHA-256 of nothing and an empty text', () => {
  const capture = createOutputCapture({ maxBytes: 64 });

  capture.write('stdout', '');

  assert.deepEqual(chunksOf(capture), []);
  assert.deepEqual(capture.inline('stdout'), { data: '', encoding: 'utf-8' });
  assert.deepEqual(capture.summary('stdout'), {
    bytes: 0,
    sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    truncated: false,
  });
});

test('output that is not UTF-8 travels as base64', () => {
  const capture = createOutputCapture({ maxBytes: 64 });

  capture.write('stdout', Uint8Array.of(0xff, 0x00, 0xfe));

  assert.deepEqual(capture.inline('stdout'), { data: '/wD+', encoding: 'base64' });
});

test('S-M-14: 1 MiB on both streams becomes pieces of at most 48 KiB, and no text swells past base64 as JSON', () => {
  const capture = createOutputCapture({ maxBytes: KIB * KIB });
  capture.write('stdout', Buffer.alloc(KIB * KIB)); // NUL is valid UTF-8 and takes six bytes in JSON
  capture.write('stderr', Buffer.alloc(KIB * KIB, 'ä'));

  const pieces = chunksOf(capture);

  for (const piece of pieces) {
    assert.ok(decodedLength(piece) <= MAX_CHUNK_BYTES);
    assert.ok(JSON.stringify(piece).length <= 65 * KIB);
  }
  assert.equal(
    pieces.reduce((sum, piece) => sum + decodedLength(piece), 0),
    2 * KIB * KIB,
  );
  assert.ok(JSON.stringify(capture.inline('stdout')).length < 88 * KIB);
});

test('promise 14: 10 GB of output in small writes are taken in with flat memory', () => {
  const maxBytes = 256 * KIB;
  const capture = createOutputCapture({ maxBytes });
  const block = Buffer.alloc(MAX_CHUNK_BYTES, 'x');
  for (let index = 0; index < maxBytes; index += 1) capture.write('stdout', block.subarray(0, 1));
  const before = process.memoryUsage();

  for (let sum = 0; sum < 10e9; sum += block.length) capture.write('stdout', block);

  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers - before.arrayBuffers <= 4 * maxBytes);
  assert.equal(capture.summary('stdout').bytes, maxBytes);
  assert.equal(capture.summary('stdout').truncated, true);
});

/** All pieces of both streams after the end; none of a stream that is empty. */
function chunksOf(capture: OutputCapture): OutputPiece[] {
  const pieces: OutputPiece[] = [];
  for (const stream of ['stdout', 'stderr'] as const) {
    for (let offset = 0; offset < capture.size(stream); ) {
      const range = capture.cut(stream, offset, true);
      assert.ok(range !== undefined && range.end > offset);
      pieces.push(capture.piece(range));
      offset = range.end;
    }
  }
  return pieces;
}

function assertInOrder(pieces: readonly OutputPiece[], size: number): void {
  let offset = 0;
  for (const [index, piece] of pieces.entries()) {
    assert.equal(piece.offset, offset);
    assert.equal(piece.last, index === pieces.length - 1);
    offset += decodedLength(piece);
  }
  assert.equal(offset, size);
}

function decode({ data, encoding }: EncodedBytes): Buffer {
  return Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8');
}
