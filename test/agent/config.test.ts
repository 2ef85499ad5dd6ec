import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ActionsConfig, actionsFaults, applyDefaults } from '../../agent/actions-config.js';
import { AgentConfig } from '../../agent/config.js';
import { loadConfig } from '../../runtime/config.js';
import { assertThrowsCode } from '../support/assert-code.js';

const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;

const ZEROS: ActionsConfig = {
  enabled: false,
  hooksDir: '',
  maxConcurrent: 0,
  maxActionTimeoutMs: 0,
  maxOutputBytes: 0,
};
const textsOf = (config: ActionsConfig): string[] => actionsFaults(config).map(({ text }) => text);

test('S-P-1, P-8…P-13: an empty config becomes the defaults', () => {
  const expected = {
    enabled: true,
    hooksDir: '',
    maxConcurrent: 5,
    maxActionTimeoutMs: 10 * MINUTE_MS,
    maxOutputBytes: 1_048_576,
  };
  assert.deepEqual(applyDefaults({}), expected);
  assert.deepEqual(applyDefaults({ enabled: false }), expected);
});

test('S-P-2, P-13: once a number is set, disabled stays disabled', () => {
  const config = applyDefaults({ enabled: false, maxConcurrent: 3 });

  assert.deepEqual([config.enabled, config.maxConcurrent, config.maxOutputBytes], [false, 3, MIB]);
});

test('S-P-3, P-13: what is set is kept, the other numbers are filled in', () => {
  const config = applyDefaults({ enabled: true, maxConcurrent: 10 });

  assert.deepEqual(config, {
    enabled: true,
    hooksDir: '',
    maxConcurrent: 10,
    maxActionTimeoutMs: 10 * MINUTE_MS,
    maxOutputBytes: MIB,
  });
});

for (const [row, changes, text] of [
  ['P-14', { maxConcurrent: 0 }, 'actions: config: MaxConcurrent must be at least 1'],
  ['P-14', { maxConcurrent: -1 }, 'actions: config: MaxConcurrent must be at least 1'],
  ['P-15', { maxActionTimeoutMs: 5000 }, 'actions: config: MaxActionTimeout must be at least 10s'],
  ['P-16', { maxOutputBytes: 512 }, 'actions: config: MaxOutputBytes must be at least 1024'],
] as const) {
  test(`S-P-4, ${row}: ${JSON.stringify(changes)} is refused with its own text alone`, () => {
    assert.deepEqual(textsOf({ ...applyDefaults({}), ...changes }), [text]);
  });
}

test('S-P-5, P-17: a disabled config is not checked', () => {
  assert.deepEqual(textsOf(ZEROS), []);
});

test('S-P-6: defaults pass, and so do larger numbers', () => {
  assert.deepEqual(textsOf(applyDefaults({})), []);
  const large = { maxConcurrent: 10, maxActionTimeoutMs: 30 * MINUTE_MS, maxOutputBytes: 2 * MIB };
  assert.deepEqual(textsOf({ ...applyDefaults({}), ...large }), []);
});

test('S-P-7: the least numbers pass', () => {
  const least = { maxConcurrent: 1, maxActionTimeoutMs: 10_000, maxOutputBytes: 1024 };
  assert.deepEqual(textsOf({ ...applyDefaults({}), ...least }), []);
});

test('the settings of an agent without any are the defaults', () => {
  const config = AgentConfig.parse({});

  assert.deepEqual(
    [config.enabled, config.hooks_dir, config.max_concurrent, config.max_action_timeout, config.max_output_bytes],
    [true, '', 5, '10m', MIB],
  );
});

test('P-14…P-16: all faults are named at once, with the setting each stands in', () => {
  const env = {
    MUSTER_AGENT_MAX_CONCURRENT: '0',
    MUSTER_AGENT_MAX_ACTION_TIMEOUT: '5s',
    MUSTER_AGENT_MAX_OUTPUT_BYTES: '512',
  };

  const { message } = assertThrowsCode(() => loadConfig({ agent: AgentConfig }, { env }), 'config_invalid');

  for (const line of [
    'agent.max_concurrent: actions: config: MaxConcurrent must be at least 1',
    'agent.max_action_timeout: actions: config: MaxActionTimeout must be at least 10s',
    'agent.max_output_bytes: actions: config: MaxOutputBytes must be at least 1024',
  ]) {
    assert.ok(message.includes(line), message);
  }
});

test('more output than the messages of an execution hold is a fault of the settings', () => {
  const env = { MUSTER_AGENT_MAX_OUTPUT_BYTES: `${64 * 1024 * 1024}` };
  assert.equal(loadConfig({ agent: AgentConfig }, { env }).agent.max_output_bytes, 64 * 1024 * 1024);

  const small = { ...env, MUSTER_AGENT_MAX_PACKET_BYTES: '16384' };
  const { message } = assertThrowsCode(() => loadConfig({ agent: AgentConfig }, { env: small }), 'config_invalid');

  assert.match(message, /agent\.max_output_bytes: is more than 4096 messages of max_packet_bytes hold/);
});

test('P-17: a disabled agent starts with any numbers', () => {
  const env = { MUSTER_AGENT_ENABLED: 'false', MUSTER_AGENT_MAX_CONCURRENT: '0' };

  assert.equal(loadConfig({ agent: AgentConfig }, { env }).agent.max_concurrent, 0);
});

for (const [key, value] of [
  ['max_action_timeout', 'soon'],
  ['max_action_timeout', '1000h'],
  ['hello_interval', '0s'],
  ['hello_interval', '1000h'],
  ['hooks_verify_interval', '500ms'],
  ['hooks_env_prefix', 'muster'],
  ['metrics_port', 65_536],
  ['enroll_url', 'ftp://example.org'],
  ['node_id', 'pump.7'],
  ['colour', 'red'],
] as const) {
  test(`${key} ${value} is refused`, () => {
    assert.equal(AgentConfig.safeParse({ [key]: value }).success, false);
  });
}
