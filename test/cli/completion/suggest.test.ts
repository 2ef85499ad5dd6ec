import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { COMMANDS } from '../../../cli/commands/list.js';
import { SOURCES } from '../../../cli/completion/sources.js';
import { suggest } from '../../../cli/completion/suggest.js';
import { createProgram } from '../../../cli/program.js';
import type { ActionSpec } from '../../../protocol/messages/capabilities.js';
import { freePort } from '../../support/free-port.js';
import { runMuster, startTestController } from '../../support/muster.js';
import { PING } from '../../support/scripted-agent.js';

const IO = {
  env: {},
  stdout: { write: () => true },
  stderr: { write: () => true },
  isInteractive: false,
  readLine: async () => '',
  readSecret: async () => '',
  exitWith: () => undefined,
  onInterrupt: () => () => undefined,
};

test('commands, options, choices and values of the controller are offered where they may stand', async (t) => {
  const { dataDir, startAgent } = await startTestController(t);
  const parameters: ActionSpec['parameters'] = [
    { name: 'target', type: 'ip', required: true, description: 'Whom' },
    { name: 'count', type: 'integer', required: false, description: 'How often' },
  ];
  const actions = [{ ...PING, parameters }];
  await startAgent('pump-7', { actions, groups: ['pumps'], labels: { site: 'north', note: 'has a blank' } });
  await startAgent('pump-8');
  const offered = async (...words: string[]) =>
    suggest(await createProgram(words, IO), words, { ...IO, env: { MUSTER_DATA: dataDir } });
  const valuesOf = async (...words: string[]) => {
    const suggestion = await offered(...words);
    return typeof suggestion === 'string' ? suggestion : suggestion.map(({ value }) => value);
  };

  assert.deepEqual(await offered('node'), [
    { value: 'nodes', about: 'list the nodes' },
    { value: 'node', about: 'change the labels and groups of a node, or remove it' },
    { value: 'node-token', about: 'make, list and delete the tokens of nodes that poll' },
  ]);
  assert.deepEqual(await valuesOf('node', ''), ['label', 'group', 'remove', 'help']);
  assert.deepEqual(await valuesOf('help', 'enr'), ['enroll-token']);
  assert.deepEqual(await valuesOf('run', 'ping', '--st'), ['--stream']);
  assert.deepEqual(await valuesOf('user', 'create', 'ann', '--role', ''), ['owner', 'admin', 'operator', 'viewer']);
  assert.equal(await offered('policy', 'check', ''), 'files');
  assert.equal(await offered('nodes', '--data=/tm'), 'directories');

  assert.deepEqual(await offered('run', 'pi'), [{ value: 'ping', about: 'answers' }]);
  assert.deepEqual(await offered('run', 'ping', 't'), [{ value: 'target=', about: 'Whom' }]);
  assert.deepEqual(await valuesOf('run', 'ping', 'target=10.0.0.1', ''), ['count=']);
  assert.deepEqual(await valuesOf('run', 'ping', '--node', ''), ['pump-7', 'pump-8']);
  assert.deepEqual(await valuesOf('run', '--node=pump-7,'), ['--node=pump-7,pump-7', '--node=pump-7,pump-8']);
  assert.deepEqual(await valuesOf('run', '--group', 'p'), ['pumps']);
  assert.deepEqual(await valuesOf('run', '--label', ''), ['site=north'], 'what would need quotes is left out');
  assert.deepEqual(await valuesOf('run', '--reason', ''), [], 'free text');
  assert.deepEqual(await valuesOf('nodes', 'x'), [], 'there is no argument');
});

test('a controller that is not there offers nothing, and the completion does not fail', async (t) => {
  const env = { MUSTER_URL: `http://127.0.0.1:${await freePort()}`, MUSTER_TOKEN: 'x' };

  const end = await runMuster(t, ['completion', 'candidates', '--line', 'muster run '], env);

  assert.deepEqual(end, { exitCode: 0, stdout: '', stderr: '' });
});

test('every option and argument that has a source is there', async () => {
  const names = new Set<string>();
  for (const { name } of COMMANDS) {
    const program = await createProgram([name], IO);
    const command = program.commands.find((each) => each.name() === name);
    assert.ok(command, name);
    for (const each of namesIn(command, name)) names.add(each);
  }

  for (const name of SOURCES.keys()) assert.ok(names.has(name), name);
});

/** Of a command and those below it: each option and argument, alone and behind the command's names. */
function namesIn(command: Command, path: string): string[] {
  const own = [
    ...command.options.flatMap(({ long }) => long ?? []),
    ...command.registeredArguments.map((argument) => `<${argument.name()}>`),
  ];
  return [
    ...own.flatMap((name) => [name, `${path} ${name}`]),
    ...command.commands.flatMap((each) => namesIn(each, `${path} ${each.name()}`)),
  ];
}
