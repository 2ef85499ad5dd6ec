import { AgentConfig } from './config.js';

/** What `node muster-agent.cjs --help` prints: its flags, and every setting with its description. */
export function usage(): string {
  const settings = Object.entries(AgentConfig.shape).map(([key, field]) => ({
    flag: `--${key.replaceAll('_', '-')} VALUE`,
    meaning: field.description ?? '',
  }));
  const width = Math.max(...settings.map(({ flag }) => flag.length));
  return `Usage: node muster-agent.cjs --data DIR [--enroll URL --token TOKEN] [--config FILE] [settings]
       node muster-agent.cjs status | actions | run ACTION [name=value…]

       node muster-agent.cjs status | actions | run ACTION [name=value...] [--data DIR | --socket PATH] [--json]

Runs the Muster agent of this node until SIGTERM; --enroll and --token are needed once. The second form asks the agent
that runs here.
status, actions and run ask the agent that runs already; run also takes --timeout, --stream and --reason.

  --data DIR             keeps identity and journal below this directory
  --enroll URL           where the controller listens
  --token TOKEN          from \`muster enroll-token create\`; or MUSTER_AGENT_ENROLL_TOKEN, or MUSTER_AGENT_ENROLL_TOKEN_FILE
  --config FILE          a YAML file with the sections agent and mesh
  --mesh-interface NAME  WireGuard interface whose address and peers gather_info reports
  --help, --version

Settings; each is also MUSTER_AGENT_NAME in the environment, or agent.name in the file:

${settings.map(({ flag, meaning }) => `  ${flag.padEnd(width)}  ${meaning}\n`).join('')}`;
}
