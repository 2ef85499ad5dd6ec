import { TextDecoder } from 'node:util';
import type { Output, StreamName } from '../../protocol/messages/output.js';
import type { Result } from '../../protocol/messages/result.js';
import { escapeOutput } from '../../runtime/terminal-text.js';
import type { LocalIo } from './commands.js';
import { renderEnd } from './render.js';

/** Shows what an action prints where a program's own output would go, and then how it ended, on stderr. */
export type Printer = Readonly<{ piece: (piece: Output) => void; end: (result: Result) => void }>;

type Position = { readonly decoder: TextDecoder; bytes: number; endsLine: boolean };

export function createPrinter(io: Pick<LocalIo, 'stdout' | 'stderr'>): Printer {
  const create = (): Position => ({ decoder: new TextDecoder(), bytes: 0, endsLine: true });
  const positions = { stdout: create(), stderr: create() };

  function show(stream: StreamName, bytes: Buffer, isLast: boolean): void {
    const position = positions[stream];
    const text = escapeOutput(position.decoder.decode(bytes, { stream: !isLast }));
    position.bytes += bytes.length;
    if (text === '') return;
    position.endsLine = text.endsWith('\n');
    io[stream].write(text);
  }

  function finish(stream: StreamName, result: Result): void {
    const position = positions[stream];
    const total = result[`${stream}_bytes`];
    if (position.bytes === 0) {
      show(stream, Buffer.from(result[stream], result[`${stream}_encoding`] === 'base64' ? 'base64' : 'utf8'), true);
    }
    if (!position.endsLine) io[stream].write('\n');
    if (position.bytes < total) io.stderr.write(`[${stream}: not all of ${total} bytes are shown]\n`);
    if (result[`${stream}_truncated`]) io.stderr.write(`[${stream}: what came past the limit was dropped]\n`);
  }

  return {
    piece({ stream, data, encoding, last }) {
      show(stream, Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8'), last);
    },
    end(result) {
      finish('stdout', result);
      finish('stderr', result);
      io.stderr.write(`${renderEnd(result)}\n`);
    },
  };
}
