import type { ErrorVoice } from '../../protocol/error-entry.js';
import { ERROR_CODES, type ErrorCode } from '../../protocol/errors.js';
import { EXIT, exitCodeOf } from '../../runtime/exit-codes.js';
import { code, generatedNote, sentence, table } from './markdown.js';

const SECTIONS: readonly (readonly [ErrorVoice, string, string])[] = [
  [
    'refusal',
    'Messages that are not believed',
    'Counted in `muster_agent_messages_refused_total`, `muster_controller_messages_refused_total`, and logged at most once a minute each. Never answered.',
  ],
  ['ack', 'Why an agent does not take a request', 'The `reason` of a `muster-ack` whose `status` is `rejected`.'],
  ['result', 'Why an accepted execution ended as error', 'The `error_code` of a `muster-result`.'],
  ['api', 'What the REST API answers', 'The `code` of an RFC 9457 problem (`application/problem+json`).'],
  ['startup', 'Why a process does not start or a command does not run', 'Said on stderr, with the exit code.'],
];

/** docs/reference/errors.md: every code, where it is spoken, what it means and what to do. */
export function errorsPage(): string {
  const sections = SECTIONS.map(([voice, title, intro]) => `## ${title}\n\n${intro}\n\n${sectionTable(voice)}\n`);
  return [
    generatedNote('protocol/errors.ts'),
    '# Error codes\n',
    'A code is public: it is never renamed and never used for something else. A code that is spoken in several places stands in each of their tables. "Again" says whether the same ask may succeed later without a change.\n',
    ...sections,
    `## Exit codes\n\n${exitCodeTable()}\n`,
  ].join('\n');
}

function sectionTable(voice: ErrorVoice): string {
  const rows = entries()
    .filter(([, { voices }]) => voices.includes(voice))
    .map(([name, { http, retryable, meaning, next }]) => [
      code(name),
      ...(voice === 'api' ? [String(http ?? '')] : []),
      ...(voice === 'startup' ? [String(exitCodeOf(name))] : []),
      sentence(meaning),
      sentence(next),
      retryable ? 'yes' : 'no',
    ]);
  const extra = voice === 'api' ? ['HTTP'] : voice === 'startup' ? ['Exit'] : [];
  return table(['Code', ...extra, 'Meaning', 'What to do', 'Again'], rows);
}

function exitCodeTable(): string {
  const meanings: readonly (readonly [number, string])[] = [
    [0, 'Done; a process that was asked to stop has stopped'],
    [EXIT.failed, 'The action did not succeed, or a fault in Muster itself'],
    [EXIT.usage, 'The command line is wrong'],
    [EXIT.unavailable, 'The controller, the broker, a port or the data directory is not available'],
    [EXIT.notAllowed, 'Not allowed'],
    [EXIT.configuration, 'The configuration, a key or the data directory has faults'],
    [EXIT.interrupted, 'A command was interrupted with Ctrl-C'],
  ];
  return table(
    ['Exit', 'Meaning'],
    meanings.map(([exit, meaning]) => [String(exit), sentence(meaning)]),
  );
}

type Entry = Readonly<{
  voices: readonly ErrorVoice[];
  http?: number;
  retryable: boolean;
  meaning: string;
  next: string;
}>;

function entries(): (readonly [ErrorCode, Entry])[] {
  return Object.entries<Entry>(ERROR_CODES).map(([name, entry]) => [name as ErrorCode, entry]);
}
