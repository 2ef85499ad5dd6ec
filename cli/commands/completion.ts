import { Command } from 'commander';
import { z } from 'zod';
import { escapeText } from '../../runtime/terminal-text.js';
import { splitLine } from '../completion/line.js';
import { COMPLETION_SCRIPTS } from '../completion/scripts.js';
import { type Suggestion, suggest } from '../completion/suggest.js';
import type { Io } from '../io.js';

const HELP = `
The script asks muster at each TAB, so it is never older than the command. Nodes, actions, their parameters, groups,
labels, hooks, invocations, users and tokens come from the controller, where one answers within a second and a half.

Examples:
  $ muster completion bash > ~/.local/share/bash-completion/completions/muster
  $ source <(muster completion bash)                  # or this, in ~/.bashrc
  $ muster completion zsh > "\${fpath[1]}/_muster"     # and begin a new shell
  $ muster completion fish > ~/.config/fish/completions/muster.fish`;

const CandidatesOptions = z.object({ line: z.string().optional() });

/** `muster completion bash|zsh|fish`: what a shell loads to complete our command lines. */
export function completionCommand(io: Io): Command {
  const command = new Command('completion')
    .description('Print what a shell needs to complete the command lines of muster.')
    .addHelpText('after', HELP);
  for (const [shell, script] of Object.entries(COMPLETION_SCRIPTS)) {
    command.addCommand(
      new Command(shell).description(`Print the script for ${shell}.`).action(() => {
        io.stdout.write(script);
      }),
    );
  }
  return command.addCommand(candidatesCommand(io), { hidden: true });
}

/** What the scripts call. bash gives the whole line, since it cuts words at = and :, the others give the words. */
function candidatesCommand(io: Io): Command {
  return new Command('candidates')
    .description('Print what may stand at the cursor.')
    .option('--line <text>', 'the command line up to the cursor')
    .argument('[words...]', 'or its words without the program, the last one unfinished')
    .action(async (given: string[], options: unknown) => {
      const { line } = CandidatesOptions.parse(options);
      const words = line === undefined ? given : splitLine(line).slice(1);
      const { createProgram } = await import('../program.js'); // which loads us when it is asked for us
      const program = await createProgram(words, io);
      const text = render(await suggest(program, words, io));
      if (text !== '') io.stdout.write(`${text}\n`);
    });
}

function render(suggestion: Suggestion): string {
  if (typeof suggestion === 'string') return `:${suggestion}`;
  return suggestion.map(({ value, about }) => `${value}\t${escapeText(about)}`).join('\n');
}
