import { cpus, totalmem } from 'node:os';

/** One line of the table: what, the figures, and the aim with whether it was met. */
export type Line = Readonly<{ what: string; figures: string; aim?: string; met?: boolean }>;

/** Prints lines as they come, as a table of Markdown or in columns. */
export type Table = Readonly<{ print: (line: Line) => void; readonly missed: number }>;

/** Begins the table with what it was measured on. */
export function beginTable({ markdown }: { markdown: boolean }): Table {
  let missed = 0;
  function print({ what, figures, aim = '', met }: Line): void {
    if (met === false) missed += 1;
    const verdict = met === undefined ? '' : met ? 'met' : 'MISSED';
    if (markdown) process.stdout.write(`| ${what} | ${figures} | ${aim} | ${verdict} |\n`);
    else process.stdout.write(`${what.padEnd(48)} ${figures.padEnd(64)} ${aim}  ${verdict}\n`);
  }
  if (markdown) process.stdout.write('| what | figures | aim | |\n|---|---|---|---|\n');
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  print({ what: 'machine', figures: `${cpus().length} × ${cpu?.model ?? '?'}, ${memory}, Node ${process.version}` });
  return {
    print,
    get missed() {
      return missed;
    },
  };
}
