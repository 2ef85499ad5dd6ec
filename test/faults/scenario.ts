import type { Verdict } from './judge/checker.js';

/** What a scenario runs in. */
export type ScenarioContext = Readonly<{
  /** `short` runs with every change, `full` on request. */
  size: 'short' | 'full';
  /** Seeded: the same seed makes the same choices. */
  random: () => number;
  /** The scenario's own, on a normal disk; removed afterwards. */
  directory: string;
  /** Says how far it is. */
  note: (line: string) => void;
  /** The agent as one file: what we ship, or one that was broken on purpose. */
  agentBundle: string;
  /** The command that runs broker and controller: what we ship, or one that was broken on purpose. */
  program: string;
  /** How long it waits for all to be over; what is open then is lost. */
  quietMs: number;
}>;

/** `points` counts how often the scenario did its harm. */
export type ScenarioReport = Readonly<{ points: number; verdict: Verdict }>;

/** One way to harm a running installation, and the judgment of what became of the work that it had accepted. */
export type Scenario = Readonly<{
  name: string;
  /** What it does, in a few words. */
  what: string;
  /** Why this machine cannot run it; undefined when it can. */
  lacks: () => string | undefined | Promise<string | undefined>;
  run: (context: ScenarioContext) => Promise<ScenarioReport>;
}>;
