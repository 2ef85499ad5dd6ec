import { type DestinationStream, type Logger, pino } from 'pino';
import type { Mask } from './masking/mask.js';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** NDJSON on stderr (or `destination`), times in RFC 3339, errors under `err`; what `mask` finds in a line is not written. */
export function createLogger(
  part: string,
  { level = 'info', mask, destination }: { level?: LogLevel; mask?: Mask; destination?: DestinationStream } = {},
): Logger {
  const end = destination ?? pino.destination({ dest: 2, sync: true });
  return pino(
    {
      level,
      base: { part },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['password', 'token', 'authorization', '*.password', '*.token', '*.authorization'],
        censor: '[redacted]',
      },
    },
    mask === undefined ? end : { write: (line) => end.write(maskLine(line, mask)) },
  );
}

/** A masked line is JSON like any other. */
function maskLine(line: string, { typed, json }: Mask): string {
  const masked = typed(line);
  return masked === line ? line : `${JSON.stringify(json(JSON.parse(line)))}\n`;
}
