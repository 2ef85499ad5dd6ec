import { setTimeout as wait } from 'node:timers/promises';
import { percentile } from '../statistics.js';
import type { Line } from '../table.js';
import { startAgent, startBareNode } from './agent.js';
import { type Memory, memoryOf, processorSeconds, slope } from './process-figures.js';
import { startRelay } from './relay.js';
import type { Site } from './site.js';

/** What the start leaves behind is collected by then. */
const SETTLE_MS = 30_000;
const SAMPLE_MS = 5_000;
const MEMORY_AIM = 1.5;
const GROWTH_AIM_MIB = 1;
const WIRE_AIM_KB = 20;
/** `agent.hello_interval` is 15 min, longer than most runs. */
const HELLOS_PER_HOUR = 4;

type Sample = Readonly<{ minutes: number; agent: Memory; bare: Memory }>;

/** An agent and a bare Node that do nothing for this many minutes after their start has settled. */
export async function measureIdle(site: Site, minutes: number): Promise<Line[]> {
  const relay = await startRelay(site.brokerUrl);
  const bare = startBareNode();
  const agent = await startAgent(site.dataDir, relay.url);
  await wait(SETTLE_MS);
  const before = { cpu: processorSeconds(agent.pid), bareCpu: processorSeconds(bare.pid), bytes: relay.bytes() };
  const startMs = performance.now();
  const samples: Sample[] = [];
  for (let due = 0; due <= minutes * 60_000; due += SAMPLE_MS) {
    await wait(Math.max(0, startMs + due - performance.now()));
    const elapsed = (performance.now() - startMs) / 60_000;
    samples.push({ minutes: elapsed, agent: memoryOf(agent.pid), bare: memoryOf(bare.pid) });
  }
  const passed = (performance.now() - startMs) / 60_000;
  const cpu = (processorSeconds(agent.pid) - before.cpu) / passed;
  const bareCpu = (processorSeconds(bare.pid) - before.bareCpu) / passed;
  const perHour = ((relay.bytes() - before.bytes) / passed) * 60;
  const hellos = HELLOS_PER_HOUR * site.controller.greetingBytes();
  await agent.stop();
  await bare.stop();
  await relay.stop();
  return [
    ...memoryLines(samples, passed),
    { what: 'agent idle, processor', figures: `${cpu.toFixed(3)} s a minute (bare Node ${bareCpu.toFixed(3)} s)` },
    wireLine({ perHour, hellos, minutes: passed }),
  ];
}

function memoryLines(samples: readonly Sample[], minutes: number): Line[] {
  const bareMiB = percentile(
    samples.map(({ bare }) => bare.residentMiB),
    0.5,
  );
  const agentMiB = percentile(
    samples.map(({ agent }) => agent.residentMiB),
    0.5,
  );
  const anonymousMiB = percentile(
    samples.map(({ agent }) => agent.anonymousMiB),
    0.5,
  );
  const peakMiB = Math.max(...samples.map(({ agent }) => agent.peakMiB));
  const ratio = agentMiB / bareMiB;
  const growth = slope(samples.map(({ minutes: x, agent }) => ({ x, y: agent.residentMiB }))) * minutes;
  return [
    { what: 'bare Node idle, resident', figures: `median ${bareMiB.toFixed(1)} MiB` },
    {
      what: 'agent idle, resident',
      figures: `median ${agentMiB.toFixed(1)} MiB (${anonymousMiB.toFixed(1)} its own; at its start ${peakMiB.toFixed(1)})`,
      aim: `${ratio.toFixed(2)} × bare Node, aim ≤ ${MEMORY_AIM}`,
      met: ratio <= MEMORY_AIM,
    },
    {
      what: `agent idle, growth in ${minutes.toFixed(1)} min`,
      figures: `${growth.toFixed(2)} MiB, a line through ${samples.length} samples`,
      aim: `aim ≤ ${GROWTH_AIM_MIB} MiB`,
      met: growth <= GROWTH_AIM_MIB,
    },
  ];
}

function wireLine({ perHour, hellos, minutes }: { perHour: number; hellos: number; minutes: number }): Line {
  const kB = (perHour + hellos) / 1000;
  return {
    what: 'agent idle, bytes on the wire',
    figures: `${kB.toFixed(1)} kB an hour, from ${minutes.toFixed(1)} min, ${(hellos / 1000).toFixed(1)} of it for hellos`,
    aim: `aim ≤ ${WIRE_AIM_KB} kB`,
    met: kB <= WIRE_AIM_KB,
  };
}
