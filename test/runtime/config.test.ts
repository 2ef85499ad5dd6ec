import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { loadConfig } from '../../runtime/config.js';
import { assertThrowsCode } from '../support/assert-code.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SECTIONS = {
  agent: z.strictObject({
    enabled: z.boolean().default(true),
    max_concurrent: z.int().min(1).max(10).default(5),
    node_id: z.string().regex(/^\w+$/, 'must be letters').default('node'),
    enroll_token: z.string().optional(),
    tags: z.array(z.string()).default([]),
    ca_file: z.string().optional(),
  }),
};

test('a setting that nobody gives has its default, and the result is frozen', () => {
  const config = loadConfig(SECTIONS, { env: {} });

  assert.deepEqual(config, { agent: { enabled: true, max_concurrent: 5, node_id: 'node', tags: [] } });
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.agent));
});

test('flags win over the environment, and the environment over the file', (t) => {
  const file = yaml(t, 'agent: { max_concurrent: 2, node_id: file, enabled: false }');
  const env = { MUSTER_AGENT_MAX_CONCURRENT: '3', MUSTER_AGENT_NODE_ID: 'environment' };

  const { agent } = loadConfig(SECTIONS, { file, env, flags: { agent: { max_concurrent: '4', node_id: undefined } } });

  assert.deepEqual(agent, { enabled: false, max_concurrent: 4, node_id: 'environment', tags: [] });
});

test('text becomes a number, a boolean or a list only where the setting wants one', () => {
  const env = {
    MUSTER_AGENT_ENABLED: 'false',
    MUSTER_AGENT_MAX_CONCURRENT: '7',
    MUSTER_AGENT_NODE_ID: '123',
    MUSTER_AGENT_TAGS: '[a, b]',
  };

  assert.deepEqual(loadConfig(SECTIONS, { env }).agent, {
    enabled: false,
    max_concurrent: 7,
    node_id: '123',
    tags: ['a', 'b'],
  });
});

test('a secret can come from a file, and a setting whose own name ends in _file is not read', (t) => {
  const secret = join(temporaryDirectory(t), 'token');
  writeFileSync(secret, 'met_secret\n');

  const { agent } = loadConfig(SECTIONS, {
    env: { MUSTER_AGENT_ENROLL_TOKEN_FILE: secret, MUSTER_AGENT_CA_FILE: '/etc/ca.pem' },
  });

  assert.equal(agent.enroll_token, 'met_secret');
  assert.equal(agent.ca_file, '/etc/ca.pem');
});

test('all faults of file, environment and values are named at once', (t) => {
  const file = yaml(t, 'agent: { colour: red, node_id: a/b, __proto__: { x: 1 } }\nfleet: {}\n');
  const env = { MUSTER_AGENT_MAX_CONCURRENT: '0', MUSTER_AGENT_SPEED: '9', MUSTER_AGENT_ENROLL_TOKEN_FILE: '/missing' };

  const { message } = assertThrowsCode(() => loadConfig(SECTIONS, { file, env }), 'config_invalid');

  assert.match(message, /^The configuration has \d+ faults:\n( {2}- .*\n?)+$/);
  for (const fault of [
    'agent.colour: there is no such setting',
    'agent.node_id: must be letters',
    'agent.max_concurrent: ',
    'MUSTER_AGENT_SPEED: there is no setting agent.speed',
    'MUSTER_AGENT_ENROLL_TOKEN_FILE: ENOENT',
    'unknown section fleet',
  ])
    assert.ok(message.includes(fault), `${fault} in ${message}`);
});

test('the section of another part is left to that part', (t) => {
  const file = yaml(t, 'broker: { port: nonsense }\nagent: { max_concurrent: 1 }');
  assert.equal(loadConfig(SECTIONS, { file, env: { MUSTER_BROKER_PORT: 'x' } }).agent.max_concurrent, 1);
});

test('an empty file and an empty section hold no setting', (t) => {
  assert.equal(loadConfig(SECTIONS, { file: yaml(t, ''), env: {} }).agent.max_concurrent, 5);
  assert.equal(loadConfig(SECTIONS, { file: yaml(t, 'agent:\n'), env: {} }).agent.max_concurrent, 5);
});

test('a file that is missing, no YAML or no map is a fault with its name', (t) => {
  for (const file of ['/missing/muster.yaml', yaml(t, 'agent: [1'), yaml(t, '- agent'), yaml(t, 'agent: 3')]) {
    const { message } = assertThrowsCode(() => loadConfig(SECTIONS, { file, env: {} }), 'config_invalid');
    assert.ok(message.startsWith(`The configuration has a fault:\n  - ${file}: `), message);
  }
});

function yaml(t: TestContext, text: string): string {
  const file = join(temporaryDirectory(t), 'muster.yaml');
  writeFileSync(file, text);
  return file;
}
