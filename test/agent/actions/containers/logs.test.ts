import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFrameReader } from '../../../../agent/actions/containers/log-frames.js';
import { assertThrowsCode } from '../../../support/assert-code.js';
import { EXITED_0 } from '../../../support/builtins.js';
import { codeOf, runContainerAction } from '../../../support/containers.js';
import { type StandInEngine, startStandInEngine, toFrame } from '../../../support/engines/stand-in.js';
import { until } from '../../../support/until.js';

/** Takes these bytes apart, cut where it is told; gives what was written to each stream. */
function readFrames(bytes: Buffer, cuts: readonly number[] = []): { stdout: string; stderr: string } {
  const written = { stdout: '', stderr: '' };
  const reader = createFrameReader((stream, part) => {
    written[stream] += Buffer.from(part).toString('latin1');
  });
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  places.slice(1).forEach((place, index) => {
    reader.take(bytes.subarray(places[index], place));
  });
  reader.end();
  return written;
}

async function startWithLog(t: Parameters<typeof startStandInEngine>[0]): Promise<StandInEngine> {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web' });
  return engine;
}

/** From now on the engine sends this when it is asked for a log. */
function answerLogs(engine: StandInEngine, answer: (response: ServerResponse) => void): void {
  const [id = ''] = engine.ids();
  engine.answer(`GET /containers/${id}/logs`, (_, response) => answer(response));
}

const logsOf = (engine: StandInEngine, parameters = {}, changes: Parameters<typeof runContainerAction>[3] = {}) =>
  runContainerAction(engine.socket, 'container_logs', { container: 'web', ...parameters }, changes);

test('frames come out whole however they are cut, each on its stream', () => {
  const frame = fc.record({
    stream: fc.constantFrom(0, 1, 2),
    text: fc.string({ unit: 'binary-ascii', maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(500), { maxLength: 12 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(({ stream, text }) => toFrame(stream, text)));
      const textOf = (isStderr: boolean): string =>
        frames.flatMap(({ stream, text }) => ((stream === 2) === isStderr ? [text] : [])).join('');
      assert.deepEqual(readFrames(bytes, cuts), { stdout: textOf(false), stderr: textOf(true) });
    }),
  );
});

test('what is no frame, and what ends inside of one, is engine_answer_invalid', () => {
  for (const bytes of [
    toFrame(3, 'x'),
    toFrame(255, 'x'),
    Buffer.from('plain text of a terminal\n'),
    Buffer.concat([toFrame(1, 'whole'), Buffer.from([1, 0, 0])]),
    toFrame(1, 'short', 100),
    Buffer.from([1, 0, 1, 0, 0, 0, 0, 1, 120]),
  ]) {
    assertThrowsCode(() => readFrames(bytes), 'engine_answer_invalid');
  }
});

test('a frame that says that it has 4 GiB is passed on as it comes', () => {
  const written: number[] = [];
  const reader = createFrameReader((_, part) => written.push(part.length));

  reader.take(toFrame(1, 'x'.repeat(1000), 0xffff_ffff));
  reader.take(Buffer.alloc(5000));

  assert.deepEqual(written, [1000, 5000]);
});

test('a log without an end is read until a stream is full, and both say that there may be more', async (t) => {
  const engine = await startWithLog(t);
  let isOpen = false;
  answerLogs(engine, (response) => {
    isOpen = true;
    response.once('close', () => {
      isOpen = false;
    });
    response.writeHead(200);
    const write = (): void => {
      while (!response.destroyed && response.write(toFrame(1, 'endless\n'.repeat(1000))));
    };
    response.on('drain', write);
    write();
  });

  const { end, truncated } = await logsOf(engine, {}, { maxOutputBytes: 64 * 1024 });

  assert.deepEqual([end, truncated], [EXITED_0, ['stdout', 'stderr']]);
  await until(() => !isOpen, { what: 'the engine is left alone' });
});

test('a log that is read to its end says that it is all', async (t) => {
  const engine = await startWithLog(t);
  answerLogs(engine, (response) => response.writeHead(200).end(toFrame(2, 'last words\n')));

  const { stderr, truncated } = await logsOf(engine);

  assert.deepEqual([stderr, truncated], ['last words\n', []]);
});

test('a log is passed on while it is followed', async (t) => {
  const engine = await startWithLog(t);
  let say: (text: string) => void = () => undefined;
  answerLogs(engine, (response) => {
    response.writeHead(200).flushHeaders();
    say = (text) => response.write(toFrame(2, text));
    say('first\n');
  });
  let heard = '';

  const running = logsOf(engine, { follow: '1m' }, { onOutput: (text) => (heard += text) });
  await until(() => heard === 'first\n', { what: 'the first line' });
  say('second\n');
  await until(() => heard === 'first\nsecond\n', { what: 'the second line' });
  await engine.stop();

  assert.equal(codeOf(await running), 'engine_answer_invalid');
});

test('what is asked of a log is bounded and spelled out to the engine', async (t) => {
  const engine = await startWithLog(t);

  for (const parameters of [
    { lines: -1 },
    { lines: 10_001 },
    { since: 'yesterday' },
    { since: '1&tail=all' },
    { follow: 'long' },
    { follow: '-1s' },
  ]) {
    assert.equal(codeOf(await logsOf(engine, parameters)), 'invalid_parameter', JSON.stringify(parameters));
  }
  assert.equal(engine.asked.length, 0);
  await logsOf(engine, { lines: 5, since: '2026-01-31T12:00:00Z', timestamps: true });
  const [asked = ''] = engine.asked.filter((call) => call.includes('/logs?'));
  assert.match(asked, /\/logs\?stdout=1&stderr=1&tail=5&since=1769860800\.000&timestamps=1$/);
});
