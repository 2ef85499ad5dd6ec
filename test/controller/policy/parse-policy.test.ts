import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SHIPPED_POLICY } from '../../../controller/policy/document.js';
import { parsePolicy, readPolicyFile } from '../../../controller/policy/parse-policy.js';
import { assertThrowsCode } from '../../support/assert-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const WHOLE = `
v: 1
risks:
  - {actions: [reboot, 'deploy-*'], kind: hook, risk: danger}
access:
  - actions: ['deploy-*']
    risks: [write, danger]
    ask: {role: admin}
    approve: {role: owner, users: [ann@example.com]}
    distinct_approver: true
protected:
  - labels: {protected: "true"}
    actions: [reboot, service_restart]
approval_time: 10m
distinct_approver: false
limits: {asks_per_minute: 60, pending_per_principal: 5, open_per_node: 100}
`;

test('a policy is read with all that it may hold', () => {
  const parsed = parsePolicy(WHOLE);

  assert.ok('policy' in parsed, JSON.stringify(parsed));
  assert.equal(parsed.policy.access[0]?.approve?.users?.[0], 'ann@example.com');
  assert.equal(parsed.policy.protected[0]?.role, 'admin');
  assert.deepEqual(parsePolicy(JSON.stringify(parsed.policy)), parsed);
});

test('what a policy leaves out is as shipped', () => {
  assert.deepEqual(parsePolicy('v: 1'), { policy: SHIPPED_POLICY });
});

test('a faulty policy is refused whole, and each fault is named', () => {
  const parsed = parsePolicy(`
v: 2
rules: []
risks: [{actions: [], risk: red}, {actions: ['a b'], risk: read, why: x}]
access: [{ask: {}}, {approve: {role: operator}}, {ask: {users: [controller]}}]
protected: [{labels: {}}]
approval_time: 1s
limits: {asks_per_minute: 0}
`);

  const faults = 'faults' in parsed ? parsed.faults : [];
  for (const where of [
    'v:',
    'rules: there is no such field',
    'risks.0.actions:',
    'risks.0.risk:',
    'risks.1.actions.0:',
    'risks.1.why: there is no such field',
    'access.0.ask: must name a role or users',
    'access.1.approve.role:',
    'access.2.ask.users.0: is a name that the controller uses for itself',
    'protected.0.labels: must name a label',
    'approval_time: must be a duration from 10s to 168h',
    'limits.asks_per_minute:',
  ]) {
    assert.ok(
      faults.some((fault) => fault.startsWith(where)),
      `${where} in ${faults.join('\n')}`,
    );
  }
});

for (const [what, text] of [
  ['no text', ''],
  ['a list', '- v: 1'],
  ['two documents', 'v: 1\n---\nv: 1'],
  ['a name twice', 'v: 1\nlimits: {}\nlimits: {}'],
  ['an alias', 'v: 1\nrisks: &a []\naccess: *a'],
  ['__proto__', 'v: 1\n__proto__: {v: 1}'],
  ['__proto__ as a label', 'v: 1\nprotected: [{labels: {__proto__: x, a: b}}]'],
  ['a tag', 'v: !!int "1"\nrisks: !!set {}'],
  ['too much text', `v: 1\n# ${'x'.repeat(64 * 1024)}`],
  ['nesting without end', `v: ${'['.repeat(30_000)}`],
  ['too many rules', `v: 1\nrisks: [${'{actions: [a], risk: read},'.repeat(201)}]`],
] as const) {
  test(`a policy with ${what} is refused`, () => {
    const parsed = parsePolicy(text);

    assert.ok('faults' in parsed && parsed.faults.length > 0);
  });
}

test('the example of the reference page has no faults', () => {
  const page = readFileSync(new URL('../../../docs/reference/policy.md', import.meta.url), 'utf8');

  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];

  const parsed = parsePolicy(example);
  assert.ok('policy' in parsed && parsed.policy.access.length === 2, JSON.stringify(parsed));
});

test('a policy file that is missing, a directory or faulty is told by its name', (t) => {
  const directory = temporaryDirectory(t);
  const faulty = join(directory, 'policy.yaml');
  writeFileSync(faulty, 'v: 1\nrisk: []\nlimit: {}\n');
  mkdirSync(join(directory, 'folder'));

  const { message } = assertThrowsCode(() => readPolicyFile(faulty), 'config_invalid');
  assert.match(message, /^The policy \S+ has 2 faults:\n {2}- risk: there is no such field\n {2}- limit: there/);
  for (const file of ['missing.yaml', 'folder']) {
    assert.match(
      assertThrowsCode(() => readPolicyFile(join(directory, file)), 'config_invalid').message,
      /cannot be read \(E[A-Z]+\)/,
    );
  }
});
