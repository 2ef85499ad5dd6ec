import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { etagOf } from '../../controller/http/etags.js';
import { PolicyVersionView, PolicyView } from '../../controller/http/policy-schemas.js';
import { faultyPolicy, parsePolicyFile, readPolicyFile } from '../../controller/policy/parse-policy.js';
import { EXIT } from '../../runtime/exit-codes.js';
import { escapeOutput } from '../../runtime/terminal-text.js';
import { writeYaml } from '../../runtime/yaml-document.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
A policy says what actions may do, who may ask for them, who approves them, which nodes need a reason, and how much
is refused. docs/reference/policy.md lists all of it. Owners replace it; it is in force at once.

Examples:
  $ muster policy show > policy.yaml
  $ muster policy check policy.yaml
  $ muster policy set policy.yaml --over 3
  $ muster policy show 2`;

const SetOptions = z.object({ over: z.int().optional() });
const CheckOptions = z.object({ json: z.boolean().default(false) });

/** `muster policy show|versions|check|set`. */
export function policyCommand(io: Io): Command {
  return new Command('policy')
    .description('Show, check and replace the policy of the org.')
    .addCommand(showCommand(io))
    .addCommand(versionsCommand(io))
    .addCommand(checkCommand(io))
    .addCommand(setCommand(io))
    .addHelpText('after', HELP);
}

function showCommand(io: Io): Command {
  const command = new Command('show')
    .description('Print the policy in force as YAML.')
    .argument('[version]', 'an earlier one, as muster policy versions lists it; 0 is the shipped one');
  return addConnectionOptions(command).action(async (version: string | undefined, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const path = version === undefined ? '/policy' : `/policy/versions/${encodeURIComponent(version)}`;
    const view = await client.call(PolicyView, { path });
    print(io, { isJson, value: view, render: () => renderPolicy(view) });
  });
}

function versionsCommand(io: Io): Command {
  const command = new Command('versions').description('List the versions of the policy, newest first.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(PolicyVersionView, { path: '/policy/versions' });
    print(io, { isJson, value: { items }, render: () => renderVersions(items, io) });
  });
}

function checkCommand(io: Io): Command {
  return new Command('check')
    .description('Look for faults in a policy without a controller.')
    .argument('<file>', 'the policy, YAML or JSON')
    .option('--json', 'print JSON')
    .action((file: string, options: unknown) => {
      const { json: isJson } = CheckOptions.parse(options);
      const parsed = parsePolicyFile(file);
      const faults = 'faults' in parsed ? parsed.faults : [];
      if (faults.length > 0 && !isJson) throw faultyPolicy(file, faults);
      print(io, { isJson, value: { valid: faults.length === 0, faults }, render: () => 'The policy has no faults.' });
      if (faults.length > 0) io.exitWith(EXIT.configuration);
    });
}

function setCommand(io: Io): Command {
  const command = new Command('set')
    .description('Replace the policy; in force at once, also for what waits for approval.')
    .argument('<file>', 'the policy, YAML or JSON')
    .option('--over <version>', 'only if this version is in force: the one that you have changed', parseVersion);
  return addConnectionOptions(command).action(async (file: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { over } = SetOptions.parse(options);
    const body = readPolicyFile(file);
    const expected = over ?? (await client.call(PolicyView, { path: '/policy' })).version;
    const headers = { 'if-match': etagOf(expected) };
    const view = await client.call(PolicyView, { method: 'PUT', path: '/policy', body, headers });
    const isSame = view.version === expected;
    const render = () =>
      isSame ? 'That is the policy in force.' : `Version ${view.version} of the policy is in force.`;
    print(io, { isJson, value: view, render });
  });
}

/** @throws {InvalidArgumentError} */
function parseVersion(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be the number of a version.');
  return Number(text);
}

function renderPolicy({ version, source, created_at, created_by, policy, shipped_risks }: PolicyView): string {
  const origin = created_at === null ? 'as shipped' : `${created_at} by ${created_by} (${source})`;
  const shipped = writeYaml({ risks: shipped_risks }).trimEnd().split('\n');
  return escapeOutput(
    [
      `# Version ${version} of the policy, ${origin}`,
      writeYaml(policy).trimEnd(),
      '# After these risks the shipped ones count, and what none names is a write:',
      ...shipped.map((line) => `#   ${line}`),
    ].join('\n'),
  );
}

function renderVersions(versions: readonly PolicyVersionView[], io: Io): string {
  if (versions.length === 0) return 'The policy is the shipped one: nobody has replaced it.';
  const head = ['VERSION', 'SINCE', 'BY', 'SOURCE', 'SHA256'];
  const rows = versions.map(({ version, created_at, created_by, source, sha256 }) => [
    String(version),
    created_at ?? '-',
    created_by ?? '-',
    source,
    sha256,
  ]);
  return renderTable(head, rows, io);
}
