import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResends } from '../../../agent/session/resends.js';
import { MusterError } from '../../../protocol/errors.js';
import { createLogger } from '../../../runtime/logger.js';

const PIECES = Array.from({ length: 20 }, (_, seq) => Buffer.from(`${seq}`));
const log = createLogger('agent', { level: 'silent' });

test('promise 14: output that is asked for twelve times at once goes out once, four messages at a time', async () => {
  const link = createLink();
  const { resends, opened } = start(link.publish);

  for (let ask = 0; ask < 12; ask += 1) resends.take(askFor('a'));
  await turn();
  assert.equal(link.underWay(), 4);
  while (link.underWay() > 0) {
    link.settleOne();
    await turn();
  }

  assert.deepEqual(link.published, PIECES);
  assert.deepEqual([link.most(), opened()], [4, 1]);
});

test('the output of several executions goes out one after the other', async () => {
  const link = createLink();
  const { resends } = start(link.publish);

  for (const id of ['a', 'b', 'c']) resends.take(askFor(id, 15));
  await turn();
  while (link.underWay() > 0) {
    link.settleOne();
    await turn();
  }

  const tail = PIECES.slice(15);
  assert.deepEqual(link.published, [...tail, ...tail, ...tail]);
  assert.equal(link.most(), 4);
});

test('a link that is lost ends a resend, which can be asked for again; nothing is called lost', async () => {
  let isDown = true;
  const published: Buffer[] = [];
  const { resends } = start(async (payload) => {
    if (isDown) throw new MusterError('not_connected', 'down');
    published.push(payload);
  });
  const refused: string[] = [];
  const ask = { ...askFor('a'), refuse: ({ code }: { code: string }) => void refused.push(code) };

  resends.take(ask);
  await turn();
  isDown = false;
  resends.take(ask);
  await turn();

  assert.deepEqual(published, PIECES);
  assert.deepEqual(refused, []);
});

test('a piece that is no longer there is told of as lost, but not while its execution runs', async () => {
  const refused: string[] = [];
  const ask = (id: string) => ({
    ...askFor(id, PIECES.length),
    refuse: ({ code }: { code: string }) => void refused.push(`${id} ${code}`),
  });
  const { resends } = start(async () => undefined, ['runs']);

  resends.take(ask('runs'));
  resends.take(ask('ended'));
  await turn();

  assert.deepEqual(refused, ['ended output_lost']);
});

function start(publish: (payload: Buffer) => Promise<void>, running: readonly string[] = []) {
  let opened = 0;
  const resends = createResends({
    journal: {
      *outputOf(_id, fromSeq = 0) {
        opened += 1;
        yield* PIECES.slice(fromSeq);
      },
    },
    executor: { running: () => running, liveOutput: () => [] },
    publish,
    log,
  });
  return { resends, opened: () => opened };
}

function askFor(executionId: string, fromSeq = 0) {
  return { executionId, fromSeq, refuse: () => assert.fail('nothing is lost') };
}

/** A link on which every message waits until the test says that the broker has it. */
function createLink() {
  const waiting: (() => void)[] = [];
  const published: Buffer[] = [];
  let most = 0;
  return {
    published,
    publish: (payload: Buffer): Promise<void> => {
      published.push(payload);
      return new Promise((settle) => {
        waiting.push(settle);
        most = Math.max(most, waiting.length);
      });
    },
    settleOne: () => waiting.shift()?.(),
    underWay: () => waiting.length,
    most: () => most,
  };
}

/** Lets everything happen that is due. */
function turn(): Promise<void> {
  return new Promise((next) => setImmediate(next));
}
