import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMPLETION_SCRIPTS } from '../../../cli/completion/scripts.js';
import type { TestScope } from '../../support/broker.js';
import { findCommand, runCommand } from '../../support/commands.js';
import { startTestController } from '../../support/muster.js';
import { PING } from '../../support/scripted-agent.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const MUSTER = fileURLToPath(new URL('../../../bin/muster.js', import.meta.url));

/** What is typed, `\t` being the key, and the line that it becomes. */
const TYPED: readonly (readonly [keys: string, line: string])[] = [
  ['muster run reload\t', 'muster run reload-config '],
  ['muster run reload-config pa\t', 'muster run reload-config path='],
  ['muster run reload-config --node=\t', 'muster run reload-config --node=pump-7 '],
  ['muster run --reason "ticket 1: on" --label site\t', 'muster run --reason "ticket 1: on" --label site=north '],
  ['muster policy check pol\t', 'muster policy check policy.yaml '],
];

test('a TAB in an interactive bash completes commands, actions, parameters, nodes, labels and files', async (t) => {
  const script = findCommand('script');
  if (script === undefined) return t.skip('needs script of util-linux');
  const { directory, env } = await startPlace(t);
  const written = join(directory, 'lines');
  const settings = [
    `source <(muster completion bash)`,
    `PS1= HISTFILE=`,
    `bind 'set enable-bracketed-paste off'`,
    `note() { printf '%s\\n' "$READLINE_LINE" >> ${written}; READLINE_LINE=; }`,
    `bind -x '"\\C-t": note'`,
  ];
  writeFileSync(join(directory, 'bashrc'), `${settings.join('\n')}\n`);

  const shell = spawn(script, ['-qec', 'bash --noprofile --rcfile bashrc -i', '/dev/null'], {
    cwd: directory,
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.after(() => shell.kill('SIGKILL'));
  for (const [keys] of TYPED) shell.stdin?.write(`${keys}\x14`);
  const lines = await until(() => linesOf(written, TYPED.length), { what: 'the lines', deadlineMs: 60_000 });
  shell.stdin?.end('exit\n');

  assert.deepEqual(
    lines,
    TYPED.map(([, line]) => line),
  );
});

test('a TAB in an interactive zsh completes the same', async (t) => {
  const script = findCommand('script');
  if (script === undefined || findCommand('zsh') === undefined) return t.skip('needs zsh');
  const { directory, env } = await startPlace(t);
  const typed = TYPED.filter((_, index) => index % 2 === 0);
  const written = join(directory, 'lines');
  const settings = [
    `autoload -Uz compinit && compinit -u -d ${directory}/dump`,
    `source <(muster completion zsh)`,
    `PS1= ; unset HISTFILE ; unsetopt zle_bracketed_paste 2>/dev/null; zle_bracketed_paste=()`,
    `note() { print -r -- "$BUFFER" >> ${written}; BUFFER= }`,
    `zle -N note && bindkey '^T' note`,
  ];
  writeFileSync(join(directory, '.zshrc'), `${settings.join('\n')}\n`);

  const shell = spawn(script, ['-qec', 'zsh -i', '/dev/null'], {
    cwd: directory,
    env: { ...env, ZDOTDIR: directory },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  t.after(() => shell.kill('SIGKILL'));
  for (const [keys] of typed) shell.stdin?.write(`${keys}\x14`);
  const lines = await until(() => linesOf(written, typed.length), { what: 'the lines', deadlineMs: 60_000 });
  shell.stdin?.end('exit\n');

  assert.deepEqual(
    lines,
    typed.map(([, line]) => line),
  );
});

test('fish offers what may stand at the cursor', async (t) => {
  const fish = findCommand('fish');
  if (fish === undefined) return t.skip('needs fish');
  const { directory, env } = await startPlace(t);
  writeFileSync(join(directory, 'muster.fish'), COMPLETION_SCRIPTS.fish);
  const ask = async (line: string): Promise<string[]> => {
    const program = `source muster.fish; complete -C ${JSON.stringify(line)}`;
    const { exitCode, stdout, stderr } = await runCommand(
      'env',
      ['-i', ...pairs(env), fish, '-Nc', program],
      directory,
    );
    assert.deepEqual([exitCode, stderr], [0, '']);
    return stdout.split('\n').filter((text) => text !== '');
  };

  assert.deepEqual(await ask('muster run reload-config --node pu'), ['pump-7\tonline']);
  assert.deepEqual(await ask('muster policy check pol'), ['policy.yaml']);
});

/** A directory with files to complete, `muster` on the PATH, and a controller with one node. */
async function startPlace(t: TestScope): Promise<{ directory: string; env: Record<string, string> }> {
  const { dataDir, startAgent } = await startTestController(t);
  await startAgent('pump-7', {
    labels: { site: 'north' },
    actions: [
      {
        ...PING,
        ...{ name: 'reload-config', description: 'reads its files again' },
        parameters: [{ name: 'path', type: 'string', required: false, description: 'where they lie' }],
      },
    ],
  });
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'installation'));
  writeFileSync(join(directory, 'policy.yaml'), 'v: 1\n');
  const command = join(directory, 'bin', 'muster');
  mkdirSync(join(directory, 'bin'));
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${MUSTER}' "$@"\n`);
  chmodSync(command, 0o755);
  const path = [join(directory, 'bin'), process.env.PATH].join(delimiter);
  return { directory, env: { PATH: path, HOME: directory, TERM: 'dumb', MUSTER_DATA: dataDir } };
}

function linesOf(file: string, count: number): string[] | undefined {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  return lines.length >= count ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : undefined;
}

function pairs(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}
