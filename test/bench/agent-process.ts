import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeEnrollmentToken, startInstallation, whenOnline } from './controller-setup.js';
import type { Line } from './main.js';
import { residentMiB } from './processes.js';
import { percentile } from './statistics.js';

const IDLE_MS = 30_000;
const STARTS = 5;
const bundle = new URL('../../dist/agent/muster-agent.cjs', import.meta.url).pathname;
/** The flags that the systemd unit gives Node, chosen by measurement. */
const FLAGS = ['--max-semi-space-size=1', '--optimize-for-size'];

/** Resident memory of the bundled agent after 30 s beside bare Node, and the time from its start to `welcome`. */
export async function measureAgent(parent: string): Promise<Line[]> {
  const directory = mkdtempSync(join(parent, 'agent-'));
  const installation = await startInstallation(directory);
  try {
    const { url, api } = await installation.startController();
    const args = [
      ...FLAGS,
      bundle,
      `--enroll=${url}`,
      '--node-id=idle',
      `--data=${join(directory, 'agent')}`,
      '--metrics-port=0',
    ];
    const token = await makeEnrollmentToken(api, 1);
    const welcomes: number[] = [];
    for (let start = 0; start < STARTS; start += 1) {
      const { ms, stop } = await startToWelcome(args, token);
      welcomes.push(ms);
      await stop();
    }
    const bareStarts: number[] = [];
    for (let start = 0; start < STARTS; start += 1) bareStarts.push(await bareStart());

    const bare = spawn(process.execPath, ['-e', 'setInterval(()=>{},1e6)'], { stdio: 'ignore' });
    const agent = await startToWelcome(args, token);
    await whenOnline(api, 1);
    await new Promise((later) => setTimeout(later, IDLE_MS));
    const bareMiB = residentMiB(bare.pid ?? 0);
    const agentMiB = residentMiB(agent.pid);
    bare.kill('SIGKILL');
    await agent.stop();
    api.close();
    const ratio = agentMiB / bareMiB;
    const welcomeMs = percentile(welcomes, 0.5);
    const bareMs = percentile(bareStarts, 0.5);
    return [
      { what: 'bundled agent, size', figures: `${Math.round(statSync(bundle).size / 1024)} KiB` },
      { what: 'bare Node, resident after 30 s', figures: `${bareMiB.toFixed(1)} MiB` },
      {
        what: 'bundled agent, resident after 30 s idle',
        figures: `${agentMiB.toFixed(1)} MiB`,
        aim: `${ratio.toFixed(2)} × bare Node, aim ≤ 1.6`,
        met: ratio <= 1.6,
      },
      {
        what: 'agent start to welcome',
        figures: `median ${welcomeMs.toFixed(0)} ms (bare Node starts in ${bareMs.toFixed(0)} ms)`,
      },
    ];
  } finally {
    await installation.stop();
  }
}

async function startToWelcome(
  args: readonly string[],
  token: string,
): Promise<{ ms: number; pid: number; stop: () => Promise<void> }> {
  const startMs = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, MUSTER_AGENT_ENROLL_TOKEN: token, MUSTER_AGENT_LOG_LEVEL: 'error' },
  });
  for (;;) {
    const [message]: unknown[] = await once(child, 'message', { signal: AbortSignal.timeout(60_000) });
    if (typeof message === 'object' && message !== null && 'welcomed' in message) break;
  }
  const ms = performance.now() - startMs;
  return {
    ms,
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function bareStart(): Promise<number> {
  const startMs = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - startMs;
}
