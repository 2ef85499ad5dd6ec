import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { sha256Hex, signEnvelope } from '../../protocol/envelope.js';
import { Control } from '../../protocol/messages/control.js';
import { Request } from '../../protocol/messages/request.js';
import { startTestBroker } from '../support/broker.js';
import { enrollByHand, keyOfAgent, scriptController, startControlledAgent } from '../support/controlled-agent.js';
import { CONTROL_EXAMPLES } from '../support/examples.js';
import { fuzzed } from '../support/fuzz.js';
import { writeHook } from '../support/hooks.js';
import { mutate, mutations, splice, splices } from '../support/mutations.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

test('S-M-12: altered octets of a signed request are counted and not answered, and nothing runs', {
  timeout: 60_000,
}, async (t) => {
  const world = await setUp(t);

  await fuzzed(
    t,
    250,
    fc.asyncProperty(splices, async (cuts) => {
      const signed = Buffer.from(world.sign('muster-request', world.request()));
      const altered = splice(signed, cuts);
      fc.pre(!altered.equals(signed));
      await world.isRefused('node_request', altered);
    }),
  );

  await world.isUnharmed();
});

test('S-M-12: a request that the controller signed and that fits no schema is counted and not answered', {
  timeout: 60_000,
}, async (t) => {
  const world = await setUp(t);

  await fuzzed(
    t,
    250,
    fc.asyncProperty(mutations, async (changes) => {
      const altered = mutate(world.request(), changes);
      fc.pre(!Request.safeParse(altered).success);
      await world.isRefused('node_request', world.sign('muster-request', altered));
    }),
  );

  await world.isUnharmed();
});

test('S-M-12: signed octets that are no JSON of a request are counted and not answered', {
  timeout: 60_000,
}, async (t) => {
  const world = await setUp(t);

  await fuzzed(
    t,
    150,
    fc.asyncProperty(splices, async (cuts) => {
      const octets = splice(Buffer.from(JSON.stringify(world.request())), cuts);
      fc.pre(!isReadable(octets));
      await world.isRefused('node_request', signEnvelope('muster-request', octets, world.signing));
    }),
  );

  await world.isUnharmed();
});

for (const kind of ['cancel', 'resend', 'receipt', 'welcome', 'terminal_open'] as const) {
  test(`S-M-12: a signed ${kind} that fits no schema is counted and not obeyed`, { timeout: 60_000 }, async (t) => {
    const world = await setUp(t);

    await fuzzed(
      t,
      80,
      fc.asyncProperty(mutations, async (changes) => {
        const altered = mutate({ ...CONTROL_EXAMPLES[kind], ...world.control(kind) }, changes);
        fc.pre(!Control.safeParse(altered).success);
        await world.isRefused('control', world.sign('muster-control', altered));
      }),
    );

    await world.isUnharmed();
  });
}

/** An agent whose one hook leaves a trace, and a controller that may sign whatever it likes. */
async function setUp(t: TestContext) {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const hooksDir = temporaryDirectory(t);
  const trace = join(temporaryDirectory(t), 'trace');
  const { checksum } = writeHook(hooksDir, 'leave-a-trace', `#!/bin/sh\necho x > ${trace}\n`);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  enrollByHand(broker, directory);
  const agent = await startControlledAgent(t, broker, directory, { settings: { hooks_dir: hooksDir } });
  await agent.whenWelcomed;
  const { signing } = broker.controller;
  const refused = async (): Promise<number> => {
    const metric = await agent.metrics.registry.getSingleMetric('muster_agent_messages_refused_total')?.get();
    return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
  };
  const answers = (): number =>
    controller.heard('ack').length + controller.heard('result').length + controller.heard('reply').length;
  return {
    signing,
    sign: (typ: 'muster-request' | 'muster-control', payload: unknown) =>
      signEnvelope(typ, JSON.stringify(payload), signing),
    request: () => controller.request({ action: 'leave-a-trace', checksum, parameters: { a: 'b', n: 1 } }),
    control: controller.control,
    /** Sent, it is counted as refused once. */
    async isRefused(kind: 'node_request' | 'control', bytes: string | Buffer) {
      const before = await refused();
      await controller.sendRaw(kind, bytes);
      await until(async () => (await refused()) === before + 1, { what: 'the refusal' });
    },
    /** Nothing was answered or run, and the agent goes on working. */
    async isUnharmed() {
      assert.equal(answers(), 0);
      assert.ok(!existsSync(trace));
      const good = controller.request({ action: 'leave-a-trace', checksum });
      await controller.send('node_request', good);
      const { status, execution_id } = await controller.hear('result');
      assert.deepEqual([status, execution_id], ['success', good.execution_id]);
      assert.ok(existsSync(trace));
      assert.equal(sha256Hex(JSON.stringify(good)), controller.heard('ack')[0]?.request_sha256);
    },
  };
}

/** Whether the octets are a request all the same: a cut may fall into a value that can take it. */
function isReadable(octets: Buffer): boolean {
  try {
    return Request.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets))).success;
  } catch {
    return false;
  }
}
