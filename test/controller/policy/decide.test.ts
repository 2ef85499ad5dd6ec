import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Decision, decide, decideApproval, type Question } from '../../../controller/policy/decide.js';
import { PolicyDocument, SHIPPED_POLICY } from '../../../controller/policy/document.js';
import { riskOf } from '../../../controller/policy/risks.js';
import type { Principal, Role } from '../../../controller/services.js';
import type { Labels } from '../../../protocol/selectors.js';

type Approval = Readonly<{ risk?: Question['risk']; askedBy?: string }>;

const ACTION = 'restart-pump';

test('A-3…A-5, A-51: as shipped, reading runs, a write waits, danger is denied, whoever asks', () => {
  for (const role of ['operator', 'admin', 'owner'] as const) {
    assert.deepEqual(verdict({}, role, { risk: 'read' }), 'approved by policy');
    assert.deepEqual(verdict({}, role, { risk: 'danger', confirmed: true }), 'denied');
  }
  assert.equal(verdict({}, 'operator', {}), 'pending');
  assert.equal(verdict({}, 'operator', { confirmed: true }), 'pending');
});

test('as shipped, an owner approves what they ask for, and an admin what they confirm', () => {
  assert.equal(verdict({}, 'owner', {}), 'approved by the-owner');
  assert.equal(verdict({}, 'admin', {}), 'refused: confirmation_required');
  assert.equal(verdict({}, 'admin', { confirmed: true }), 'approved by the-admin');
  assert.equal(verdict({}, 'viewer', { risk: 'read' }), 'refused: forbidden');
});

test('A-82, A-109: as shipped, admins and owners approve, nobody else, and nobody danger', () => {
  for (const [role, may] of [
    ['viewer', false],
    ['operator', false],
    ['admin', true],
    ['owner', true],
  ] as const) {
    assert.equal(mayApprove({}, role), may, role);
  }
  assert.equal(mayApprove({}, 'owner', { risk: 'danger' }), false);
});

test('the shipped policy is what an empty one comes to', () => {
  assert.deepEqual(read({}), SHIPPED_POLICY);
});

test('the first rule that fits an action says who asks and who approves', () => {
  const policy = {
    access: [
      { actions: ['restart-*'], ask: { users: ['the-admin'] }, approve: { role: 'owner' } },
      { actions: ['*'], ask: { role: 'owner' } },
    ],
  };

  assert.equal(verdict(policy, 'operator', {}), 'refused: forbidden');
  assert.equal(verdict(policy, 'owner', {}), 'refused: forbidden', 'those who are named and no others');
  assert.equal(verdict(policy, 'admin', { confirmed: true }), 'pending', 'others approve it');
  assert.equal(mayApprove(policy, 'admin'), false);
  assert.equal(mayApprove(policy, 'owner'), true);
  assert.equal(verdict(policy, 'admin', { action: 'ping', risk: 'read' }), 'refused: forbidden');
});

test('a policy narrows what a role may do and never widens it', () => {
  const policy = { access: [{ ask: { users: ['the-viewer'] }, approve: { users: ['the-operator'] } }] };

  assert.equal(verdict(policy, 'viewer', { risk: 'read' }), 'refused: forbidden');
  assert.equal(mayApprove(policy, 'operator'), false);
});

test('danger waits when the policy names who may approve it, and only a rule that says danger speaks of it', () => {
  const silent = { access: [{ approve: { role: 'owner' } }] };
  const named = { access: [{ risks: ['danger'], approve: { role: 'owner' } }] };

  assert.equal(verdict(silent, 'owner', { risk: 'danger', confirmed: true }), 'denied');
  assert.equal(verdict(named, 'operator', { risk: 'danger' }), 'pending');
  assert.equal(mayApprove(named, 'owner', { risk: 'danger' }), true);
  assert.equal(mayApprove(named, 'admin', { risk: 'danger' }), false);
});

test('danger is never approved by who asks, unless the policy says so and they confirm it', () => {
  const four = { access: [{ risks: ['danger'], approve: { role: 'owner' } }] };
  const two = { access: [{ risks: ['danger'], approve: { role: 'owner' }, distinct_approver: false }] };

  assert.equal(verdict(four, 'owner', { risk: 'danger', confirmed: true }), 'pending');
  assert.equal(mayApprove(four, 'owner', { risk: 'danger', askedBy: 'the-owner' }), false);
  assert.equal(verdict(two, 'owner', { risk: 'danger' }), 'refused: confirmation_required');
  assert.equal(verdict(two, 'owner', { risk: 'danger', confirmed: true }), 'approved by the-owner');
});

test('with a distinct approver nobody approves what they asked for', () => {
  const policy = { distinct_approver: true };

  assert.equal(verdict(policy, 'owner', { confirmed: true }), 'pending');
  assert.equal(verdict(policy, 'owner', { risk: 'read' }), 'approved by policy');
  assert.equal(mayApprove(policy, 'owner', { askedBy: 'the-owner' }), false);
  assert.equal(mayApprove(policy, 'owner', { askedBy: 'ann' }), true);
  const excepted = { ...policy, access: [{ actions: ['restart-*'], distinct_approver: false }] };
  assert.equal(verdict(excepted, 'owner', {}), 'approved by the-owner');
});

test('what changes a protected node needs an admin and a reason, reading it does not', () => {
  const policy = { protected: [{ labels: { protected: 'true', site: 'north' }, actions: ['restart-*', 'reboot'] }] };
  const nodes = [nodeWith({}), nodeWith({ protected: 'true', site: 'north' })];

  assert.equal(verdict(policy, 'operator', { nodes, reason: 'because' }), 'refused: forbidden');
  assert.equal(verdict(policy, 'owner', { nodes }), 'refused: reason_required');
  assert.equal(verdict(policy, 'owner', { nodes, reason: ' \n' }), 'refused: reason_required');
  assert.equal(verdict(policy, 'owner', { nodes, reason: 'because' }), 'approved by the-owner');
  assert.equal(verdict(policy, 'operator', { nodes, risk: 'read' }), 'approved by policy');
  assert.equal(verdict(policy, 'owner', { nodes, action: 'message' }), 'approved by the-owner');
  assert.equal(verdict(policy, 'owner', { nodes: [nodeWith({ protected: 'true' })] }), 'approved by the-owner');
});

test('a container counts as a node does, and the label muster.protected needs no policy', () => {
  const containers = [{ labels: { 'muster.protected': 'true' } }];
  const ask = { containers, action: 'container_stop', confirmed: true };

  assert.equal(verdict({}, 'operator', { ...ask, reason: 'because' }), 'refused: forbidden');
  assert.equal(verdict({}, 'admin', ask), 'refused: reason_required');
  assert.equal(verdict({}, 'admin', { ...ask, reason: 'because' }), 'approved by the-admin');
  assert.equal(verdict({}, 'operator', { ...ask, action: 'container_start' }), 'pending');
  assert.equal(verdict({}, 'operator', { ...ask, action: 'container_logs', risk: 'read' }), 'approved by policy');
  assert.equal(
    verdict({}, 'admin', {
      nodes: containers.map(({ labels }) => nodeWith(labels)),
      action: 'reboot',
      confirmed: true,
    }),
    'refused: reason_required',
  );
  assert.equal(
    verdict({}, 'admin', { ...ask, containers: [{ labels: { 'muster.protected': 'no' } }] }),
    'approved by the-admin',
  );
  const policy = { protected: [{ labels: { tier: 'gold' }, actions: ['container_*'], role: 'owner' }] };
  assert.equal(
    verdict(policy, 'admin', { ...ask, containers: [{ labels: { tier: 'gold' } }], reason: 'x' }),
    'refused: forbidden',
  );
  const lower = { protected: [{ labels: { 'muster.protected': 'true' }, role: 'operator' }] };
  assert.equal(verdict(lower, 'operator', { ...ask, reason: 'x' }), 'refused: forbidden', 'no policy lowers it');
});

test('of several protections the highest role counts, and a lower one lets operators ask', () => {
  const nodes = [nodeWith({ protected: 'true' })];
  const low = { labels: { protected: 'true' }, role: 'operator' };
  const high = { labels: { protected: 'true' }, role: 'owner' };

  assert.equal(verdict({ protected: [low] }, 'operator', { nodes, reason: 'x' }), 'pending');
  for (const rules of [
    [low, high],
    [high, low],
  ]) {
    assert.equal(verdict({ protected: rules }, 'admin', { nodes, reason: 'x', confirmed: true }), 'refused: forbidden');
  }
});

test('a name that is a built-in here and a hook there has to satisfy the rules of both', () => {
  const policy = { access: [{ kind: 'hook', ask: { role: 'owner' } }] };

  assert.equal(verdict(policy, 'operator', { kinds: ['builtin'] }), 'pending');
  assert.equal(verdict(policy, 'operator', { kinds: ['builtin', 'hook'] }), 'refused: forbidden');
});

test('risk: what nobody names is a write, nodes raise it and never lower it, the highest of all targets counts', () => {
  const builtin = (announced?: 'read' | 'write' | 'danger') => ({ kind: 'builtin', announced }) as const;
  const hook = (announced?: 'read' | 'write' | 'danger') => ({ kind: 'hook', announced }) as const;
  const risk = (policy: object, action: string, offers: Parameters<typeof riskOf>[2]) =>
    riskOf(read(policy), action, offers);

  assert.equal(risk({}, 'ping', [builtin()]), 'read');
  assert.equal(risk({}, 'ping', [hook('read')]), 'write', 'a hook is not the built-in of its name');
  for (const action of ['anything', 'message', 'restart', 'reboot']) // C-12
    assert.equal(risk({}, action, [builtin('read')]), 'write', action);
  assert.equal(risk({}, 'ping', [builtin(), builtin('danger')]), 'danger');
  const policy = {
    risks: [
      { actions: ['deploy-*'], kind: 'hook', risk: 'read' },
      { actions: ['*'], risk: 'danger' },
    ],
  };
  assert.equal(risk(policy, 'deploy-a', [hook()]), 'read');
  assert.equal(risk(policy, 'deploy-a', [hook('write')]), 'write');
  assert.equal(risk(policy, 'deploy-a', [hook(), builtin()]), 'danger');
  assert.equal(risk(policy, 'ping', [builtin()]), 'danger', 'one’s own rules come before the shipped ones');
});

function nodeWith(labels: Labels): Question['nodes'][number] {
  return { node: 'pump-1', groups: new Map(), labels };
}

function read(policy: object): PolicyDocument {
  return PolicyDocument.parse({ v: 1, ...policy });
}

function principalOf(role: Role): Principal {
  return { id: `the-${role}`, org: 'default', role };
}

function verdict(policy: object, role: Role, changes: Partial<Question>): string {
  const question = {
    action: ACTION,
    kinds: ['builtin'],
    risk: 'write',
    nodes: [],
    reason: undefined,
    confirmed: false,
  } as const;
  const decision: Decision = decide(read(policy), principalOf(role), { ...question, ...changes });
  if (decision.kind === 'approved') return `approved by ${decision.by}`;
  return decision.kind === 'refused' ? `refused: ${decision.code}` : decision.kind;
}

function mayApprove(policy: object, role: Role, { risk = 'write', askedBy = 'ann' }: Approval = {}): boolean {
  const matter = { action: ACTION, kinds: ['builtin'], risk } as const;
  return decideApproval(read(policy), principalOf(role), { matter, askedBy: [askedBy] }) === undefined;
}
