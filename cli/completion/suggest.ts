import type { Command } from 'commander';
import { isMusterError } from '../../protocol/errors.js';
import { createClient } from '../client.js';
import { findConnection } from '../installation.js';
import type { Io } from '../io.js';
import { type Place, placeOf } from './place.js';
import { type Candidate, COMMA_LISTS, type Source, sourceOf } from './sources.js';

/** The shell offers its own files or directories, or these words. */
export type Suggestion = 'files' | 'directories' | readonly Candidate[];

/** Somebody waits with a finger on the key. */
const DEADLINE_MS = 1_500;

/** What a shell takes as it is. Whatever a node made up that needs quotes is not offered. */
const PLAIN = /^[A-Za-z0-9_.,:=@%+/-]+$/;

/** What may stand at the cursor, `words` being those of the line without the program's name, the last one unfinished. */
export async function suggest(program: Command, words: readonly string[], io: Io): Promise<Suggestion> {
  const word = words.at(-1) ?? '';
  const place = placeOf(program, words.slice(0, -1), word);
  const { wanted } = place;
  switch (wanted.kind) {
    case 'command':
      return fitting(
        word,
        wanted.commands.map((each) => ({ value: each.name(), about: each.summary() || each.description() })),
      );
    case 'option':
      return fitting(
        word,
        wanted.options.map(({ long, short, description }) => ({ value: long ?? short ?? '', about: description })),
      );
    case 'value':
      return suggestValue(program, { place, wanted, word, io });
    default:
      return [];
  }
}

async function suggestValue(
  program: Command,
  { place, wanted, word, io }: { place: Place; wanted: Place['wanted'] & { kind: 'value' }; word: string; io: Io },
): Promise<Suggestion> {
  const { name, choices } = wanted;
  const source = choices.length > 0 ? { words: choices } : (sourceOf(place.path, name) ?? { words: [] });
  if (typeof source === 'string') return source;
  const head = COMMA_LISTS.has(name) ? word.slice(0, word.lastIndexOf(',') + 1) || wanted.head : wanted.head;
  const values = name === '<command>' ? namesIn(program) : await valuesOf(source, place, io);
  return fitting(
    word,
    values.map(({ value, about }) => ({ value: `${head}${value}`, about })),
  );
}

function namesIn({ commands }: Command): Candidate[] {
  return commands.map((command) => ({ value: command.name(), about: command.summary() }));
}

/** A controller that is not there, not in time or not ours offers nothing: a completion has no place for a failure. */
async function valuesOf(
  source: Exclude<Source, string>,
  { args, options }: Place,
  io: Io,
): Promise<readonly Candidate[]> {
  if (typeof source === 'object') return source.words.map((value) => ({ value, about: '' }));
  const flag = (name: string): string | undefined => options.get(name)?.at(-1);
  try {
    const flags = { data: flag('--data'), url: flag('--url'), token: flag('--token') };
    const client = createClient(findConnection(flags, io.env));
    return await source({ client, args, signal: AbortSignal.timeout(DEADLINE_MS) });
  } catch (error) {
    if (isMusterError(error)) return [];
    throw error;
  }
}

/** Those that go on as `word` begins, each once. */
function fitting(word: string, candidates: readonly Candidate[]): Candidate[] {
  const fit = candidates.filter(({ value }) => value.startsWith(word) && PLAIN.test(value));
  return [...new Map(fit.map((candidate) => [candidate.value, candidate])).values()];
}
