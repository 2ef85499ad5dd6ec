import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApproveInvocation,
  InvocationAnswer,
  InvocationView,
  Problem,
  pageOf,
} from '../../../controller/http/schemas.js';
import { ENDED_STATUSES } from '../../../controller/http/statuses.js';
import type { ActionSpec } from '../../../protocol/messages/capabilities.js';
import { auditRows } from '../../support/audit-rows.js';
import type { TestScope } from '../../support/broker.js';
import { openEvents } from '../../support/events.js';
import { setPolicy } from '../../support/policies.js';
import { type Answer, type PollingInstallation, startPollingInstallation } from '../../support/polling.js';
import { type AgentScript, PING, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { createPassingClock, type TestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

const FIVE_MINUTES_MS = 5 * 60_000;
const SECRETS = ['token', 'secret', 'password', 'authorization', 'api_key', 'apikey'];
const PRIME: ActionSpec = {
  ...PING,
  name: 'prime',
  parameters: [...SECRETS, 'level'].map((name) => ({ name, type: 'string', required: false, description: '' })),
};
const UNKNOWN = '0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d';

test('A-7, A-8, A-45, A-105: reading is answered with its result, and how long it took', async (t) => {
  const { ask, read } = await startStage(t, { runs: true });

  const { status, invocation } = await ask('ping');

  assert.deepEqual([status, invocation.status, invocation.counts.success], [200, 'completed', 1]);
  assert.ok(invocation.duration_ms !== null && invocation.duration_ms >= 0);
  assert.deepEqual(await read(invocation.id), invocation);
});

test('A-7, A-47, A-49, A-55, A-58, A-106, S-A-3, S-A-12, S-A-13: a write is answered 202, can be read meanwhile, and runs when it is approved', async (t) => {
  const { ask, read, list, decide } = await startStage(t, { runs: true });
  await ask('ping');

  const { status, invocation } = await ask('prime');
  const waits = Date.parse(invocation.expires_at) - Date.parse(invocation.created_at);
  assert.deepEqual([status, invocation.status, waits], [202, 'pending', FIVE_MINUTES_MS]);
  assert.deepEqual(await read(invocation.id), invocation);
  assert.deepEqual(await list('approvals'), [invocation.id]);
  assert.equal((await list('invocations')).length, 2, 'that list has all of them, whatever their state');

  const approved = await decide('approve', invocation);
  const { invocation: after } = InvocationAnswer.parse(approved.body);
  assert.deepEqual([approved.status, after.status, after.approved_by], [200, 'completed', 'the-admin']);
  assert.notEqual(after.approved_at, null);
  assert.deepEqual(await read(invocation.id), after);
  assert.deepEqual(await list('approvals'), []);
});

test('A-60, S-A-15: what is unknown is 404, decided already 409 and out of time 410, for approve and for deny', async (t) => {
  const { ask, decide, clock } = await startStage(t, { runs: true });
  const [approved, denied, late] = [await ask('prime'), await ask('prime'), await ask('prime')];
  await decide('approve', approved.invocation);
  await decide('deny', denied.invocation);
  clock.advance(FIVE_MINUTES_MS);

  for (const verb of ['approve', 'deny'] as const) {
    const answers = [];
    for (const { id, digest } of [{ ...late.invocation, id: UNKNOWN }, approved.invocation, denied.invocation]) {
      answers.push(told(await decide(verb, { id, digest })));
    }
    assert.deepEqual(
      answers.map(([status, code]) => [status, code]),
      [
        [404, 'not_found'],
        [409, 'conflict'],
        [409, 'conflict'],
      ],
    );
    assert.match(String(answers[1]?.[2]), /it is completed/);
    assert.match(String(answers[2]?.[2]), /it is denied/);
    assert.deepEqual(told(await decide(verb, late.invocation)).slice(0, 2), [410, 'expired']);
  }
});

test('A-107, S-A-16: what is past its five minutes is not approved before it was swept, and has ended then', async (t) => {
  const { ask, read, decide, clock, agent } = await startStage(t);
  const { invocation } = await ask('prime');

  clock.advance(FIVE_MINUTES_MS);
  const [status, code] = told(await decide('approve', invocation));

  assert.deepEqual([status, code], [410, 'expired']);
  const ended = await until(
    async () => {
      const now = await read(invocation.id);
      return now.status === 'expired' ? now : undefined;
    },
    { what: 'the end' },
  );
  assert.notEqual(ended.completed_at, null);
  assert.equal(agent.offers.length, 0);
});

test('S-A-20: of an approval and the sweeper at the last moment one wins, never both', async (t) => {
  const { ask, read, decide, clock, agent, muster } = await startStage(t, { runs: true });
  const asked = [];
  for (let count = 0; count < 8; count += 1) asked.push((await ask('prime')).invocation);
  const first = Date.parse(asked[0]?.expires_at ?? '');

  clock.advance(first - clock.nowMs() - 5);
  const deciding = asked.map((invocation) => decide('approve', invocation, { prefer: 'wait=0' }));
  for (let count = 0; count < 20; count += 1) await muster.core.sweep();
  const statuses = (await Promise.all(deciding)).map(({ status }) => status);

  const isEnded = async (id: string) => ENDED_STATUSES.has((await read(id)).status);
  for (const [at, { id }] of asked.entries()) {
    await until(() => isEnded(id), { what: 'the end' });
    assert.deepEqual(
      [statuses[at], (await read(id)).status],
      statuses[at] === 202 ? [202, 'completed'] : [410, 'expired'],
    );
  }
  const offered = new Set(agent.offers.map(({ request }) => request.execution_id));
  assert.equal(offered.size, statuses.filter((status) => status === 202).length);
});

test('S-A-17: what fails after its approval says why, in its record and to whoever listens', async (t) => {
  const { ask, decide, agent, url, people } = await startStage(t);
  const stream = await openEvents(t, { url, token: people.admin });
  const { invocation } = await ask('prime');

  const deciding = decide('approve', invocation);
  await agent.result(await agent.nextOffer(), { status: 'error', exit_code: -1, error_code: 'internal', error: 'no' });
  const { invocation: failed, executions = [] } = InvocationAnswer.parse((await deciding).body);
  const completed = await stream.next('action_completed');

  assert.deepEqual([failed.status, failed.error, executions[0]?.error], ['failed', 'of 1: 1 error', 'no']);
  assert.deepEqual([completed.status, completed.error], ['failed', 'of 1: 1 error']);
});

test('S-A-18: what is denied is told of with the name of whoever denied it, and is not executed', async (t) => {
  const { ask, decide, agent, url, people } = await startStage(t);
  const stream = await openEvents(t, { url, token: people.admin });
  const { invocation } = await ask('prime');

  const { status, body } = await decide('deny', invocation);
  const result = await stream.next('action_approval_result');

  assert.deepEqual([status, InvocationAnswer.parse(body).invocation.status], [200, 'denied']);
  assert.deepEqual([result.status, result.approvedBy], ['denied', 'the-admin']);
  assert.equal(agent.offers.length, 0);
});

test('S-A-24, A-19: secrets are shown to nobody, and what runs after the approval has them all the same', async (t) => {
  const { ask, read, decide, agent, url, people } = await startStage(t, { runs: true });
  const stream = await openEvents(t, { url, token: people.admin });
  const parameters = Object.fromEntries([...SECRETS.map((name) => [name, `hush-${name}`]), ['level', '3']]);

  const { invocation } = await ask('prime', parameters);
  const told = await stream.next('action_approval_request');
  await decide('approve', invocation);

  const shown = Object.fromEntries([...SECRETS.map((name) => [name, '[redacted]']), ['level', '3']]);
  for (const seen of [invocation.parameters, (await read(invocation.id)).parameters, told.params]) {
    assert.deepEqual(seen, shown);
  }
  assert.deepEqual(agent.offers[0]?.request.parameters, parameters);
  assert.doesNotMatch(JSON.stringify(stream.messages), /hush/);
});

test('A-2: every ask is judged by its risk, counted against the limit and audited', async (t) => {
  const { ask, muster, call, people } = await startStage(t, { runs: true });
  await setPolicy(muster, { limits: { asks_per_minute: 2 } });

  const [read, write] = [await ask('ping'), await ask('prime')];
  const body = { action: 'ping', target: { nodes: ['pump-1'] } };
  const third = told(await call('POST', '/api/v1/invocations', { token: people.operator, body }));

  assert.deepEqual([read.status, write.status, ...third.slice(0, 2)], [200, 202, 429, 'rate_limited']);
  const subjects = [
    ...(await auditRows(muster.store, 'invocation_created')),
    ...(await auditRows(muster.store, 'invocation_pending')),
  ].map(({ actor, subject }) => [actor, subject]);
  const expected = [read, write].map(({ invocation }) => ['the-operator', `invocation:${invocation.id}`]);
  assert.deepEqual(subjects, expected);
});

type Decided = Readonly<{ id: string; digest: string }>;

type Stage = PollingInstallation &
  Readonly<{
    agent: ScriptedAgent;
    clock: TestClock;
    /** Asks the node as an operator does. */
    ask: (action: string, parameters?: object) => Promise<{ status: number; invocation: InvocationView }>;
    read: (id: string) => Promise<InvocationView>;
    /** The ids in a list. */
    list: (of: 'approvals' | 'invocations') => Promise<string[]>;
    /** As an admin. */
    decide: (
      verb: 'approve' | 'deny',
      invocation: Decided,
      headers?: Readonly<Record<string, string>>,
    ) => Promise<Answer>;
  }>;

async function startStage(t: TestScope, script: AgentScript = {}): Promise<Stage> {
  const clock = createPassingClock();
  const installation = await startPollingInstallation(t, { clock });
  const { muster, call, people } = installation;
  const agent = await startScriptedAgent(t, {
    ...{ services: muster.core.services, brokerUrl: muster.brokerUrl, node: 'pump-1' },
    script: { ...script, actions: [PING, PRIME] },
  });
  return {
    ...{ ...installation, agent, clock },
    async ask(action, parameters = {}) {
      const body = { action, target: { nodes: ['pump-1'] }, parameters };
      const headers = action === 'ping' ? {} : { prefer: 'wait=0' };
      const answer = await call('POST', '/api/v1/invocations', { token: people.operator, body, headers });
      return { status: answer.status, invocation: InvocationAnswer.parse(answer.body).invocation };
    },
    async read(id) {
      const { body } = await call('GET', `/api/v1/invocations/${id}`, { token: people.viewer });
      return InvocationAnswer.parse(body).invocation;
    },
    async list(of) {
      const { body } = await call('GET', `/api/v1/${of}`, { token: people.admin });
      return pageOf(InvocationView)
        .parse(body)
        .items.map(({ id }) => id);
    },
    decide: (verb, { id, digest }, headers = {}) =>
      call('POST', `/api/v1/invocations/${id}/${verb}`, {
        ...{ token: people.admin, headers },
        body: verb === 'approve' ? ApproveInvocation.parse({ digest }) : {},
      }),
  };
}

/** Status, code and words of a failure. */
function told({ status, body }: Answer): [number, string, string] {
  const { code, detail } = Problem.parse(body);
  return [status, code, detail];
}
