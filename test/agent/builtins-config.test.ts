import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentConfig } from '../../agent/config.js';
import { loadConfig } from '../../runtime/config.js';

/** Whether the agent takes this value for the setting. */
const takes = (key: string, value: unknown): boolean => AgentConfig.safeParse({ [key]: value }).success;

test('a node lists nothing until its owner does', () => {
  const { readable_files, log_files, log_units, services, health_targets } = AgentConfig.parse({});

  assert.deepEqual([readable_files, log_files, log_units, services, health_targets], [[], [], [], [], []]);
});

test('lists can be given in the environment', () => {
  const env = { MUSTER_AGENT_SERVICES: '[nginx, app@1.service]', MUSTER_AGENT_READABLE_FILES: '["/etc/hostname"]' };
  const { agent } = loadConfig({ agent: AgentConfig }, { env });

  assert.deepEqual([agent.services, agent.readable_files], [['nginx', 'app@1.service'], ['/etc/hostname']]);
});

test('paths are absolute and units have full names without patterns', () => {
  for (const path of ['/', '/var/log', '/a b/c']) assert.ok(takes('log_files', [path]), path);
  for (const path of ['', 'var/log', '~/x', './x', '/a\0b']) assert.ok(!takes('readable_files', [path]), path);
  for (const unit of ['nginx', 'a-b_c.service', 'app@1.service', 'dev-sda1.device'])
    assert.ok(takes('services', [unit]), unit);
  for (const unit of ['', '-h', '--all', 'ngin*', 'a?', 'a[b]', 'a b', 'a/b', 'a\nb'])
    assert.ok(!takes('log_units', [unit]), unit);
});

test('the socket of a container engine is an absolute path, or off', () => {
  for (const socket of ['', 'off', '/run/podman/podman.sock', `/${'x'.repeat(106)}`])
    assert.ok(takes('containers_socket', socket));
  for (const socket of [
    'docker.sock',
    'unix:///run/docker.sock',
    'tcp://10.0.0.1:2375',
    '/run/',
    `/${'x'.repeat(107)}`,
  ])
    assert.ok(!takes('containers_socket', socket), socket);
});

test('health targets have a known form and hold no password', () => {
  for (const target of ['tcp://10.0.0.5:502', 'tcp://[::1]:22', 'http://a/b?c', 'https://a.example', 'dns://a.example'])
    assert.ok(takes('health_targets', [target]), target);
  for (const target of [
    '',
    'a',
    'tcp://a',
    'tcp://a:1/x',
    'file:///etc/passwd',
    'https://u:p@a',
    'http://u@a',
    'dns://a:53',
    'dns://',
  ])
    assert.ok(!takes('health_targets', [target]), target);
});
