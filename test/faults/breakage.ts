import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One thing that is broken on purpose: an exact piece of source, and what stands in its place. */
export type Breakage = Readonly<{ file: string; good: string; bad: string }>;

/** Breaks source while it is bundled; what we ship has no switch for it. */
export type Breaker = Readonly<{
  plugin: Plugin;
  /** To be called when the bundle is made. @throws {Error} when a file of a breakage is no part of it */
  expectBroken: () => void;
}>;

/** The bundle fails when a piece of source is not there exactly once: then the breakage breaks nothing any more. */
export function createBreaker(breakages: readonly Breakage[]): Breaker {
  const broken = new Set<Breakage>();
  return {
    plugin: {
      name: 'break',
      setup({ onLoad }) {
        for (const file of new Set(breakages.map((each) => each.file))) {
          onLoad({ filter: exactly(join(ROOT, file)) }, async ({ path }) => {
            const own = breakages.filter((each) => each.file === file);
            for (const each of own) broken.add(each);
            return { contents: own.reduce(breakSource, await readFile(path, 'utf8')), loader: 'ts' };
          });
        }
      },
    },
    expectBroken() {
      const untouched = breakages.find((each) => !broken.has(each));
      if (untouched !== undefined) throw new Error(`${untouched.file} is no part of what was built`);
    },
  };
}

/** @throws {Error} when the piece is not there exactly once */
export function breakSource(source: string, { file, good, bad }: Breakage): string {
  const [before, after, ...more] = source.split(good);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file} does not hold ${JSON.stringify(good)} exactly once`);
  }
  return `${before}${bad}${after}`;
}

function exactly(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
}
