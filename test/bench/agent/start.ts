import { percentile } from '../statistics.js';
import type { Line } from '../table.js';
import { bareStartMs, startAgent } from './agent.js';
import type { Site } from './site.js';

const STARTS = 15;
const AIM = 4;

/** From the start of the process to its first welcome, in turns with a bare Node. */
export async function measureStart({ dataDir, brokerUrl }: Site): Promise<Line[]> {
  const bare: number[] = [];
  const welcome: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    bare.push(await bareStartMs());
    const agent = await startAgent(dataDir, brokerUrl);
    welcome.push(agent.welcomeMs);
    await agent.stop();
  }
  const ratio = percentile(welcome, 0.5) / percentile(bare, 0.5);
  return [
    { what: 'bare Node, start to end', figures: inWords(bare) },
    {
      what: 'agent, start to `welcome`',
      figures: inWords(welcome),
      aim: `${ratio.toFixed(2)} × bare Node, aim ≤ ${AIM}`,
      met: ratio <= AIM,
    },
  ];
}

function inWords(times: readonly number[]): string {
  const [median, least, most] = [0.5, 0, 1].map((share) => percentile(times, share).toFixed(0));
  return `median ${median} ms of ${times.length} (${least} to ${most})`;
}
