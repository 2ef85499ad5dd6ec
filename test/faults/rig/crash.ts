import type { Fault } from '../judge/fault.js';
import type { AgentPart } from './agent-part.js';
import { findProcesses, isAlive, killProcess } from './proc.js';
import { settles } from './settles.js';

/** A new agent has this long to end what an earlier one left. */
const BURIAL_MS = 5_000;

/**
 * Starts an agent again that has just been killed. A fault is what its hooks had running at that moment and what is
 * still alive once the new process works.
 */
export async function restartAfterCrash(agent: AgentPart, label: string): Promise<Fault[]> {
  const left = findProcesses(...agent.hookMarks);
  await agent.start();
  await agent.welcomed();
  await settles(() => !left.some(isAlive), BURIAL_MS);
  return left.filter(isAlive).map((orphan) => {
    killProcess(orphan);
    const { pid, command } = orphan;
    return { kind: 'orphan', sentence: `${label}: process ${pid} outlived its agent: ${command}` };
  });
}
