import type { Argument, Command, Option } from 'commander';

/** What may stand where the cursor is. */
export type Wanted =
  | Readonly<{ kind: 'command'; commands: readonly Command[] }>
  | Readonly<{ kind: 'option'; options: readonly Option[] }>
  /**
   * A value of an option (`--node`) or an argument (`<node>`), called so. `head` is what stands before it in the same
   * word, as in `--node=pump-7`.
   */
  | Readonly<{ kind: 'value'; name: string; choices: readonly string[]; head: string }>
  | Readonly<{ kind: 'nothing' }>;

/** A command line up to the cursor. */
export type Place = Readonly<{
  /** The names of the command, `node label`; empty for `muster` alone. */
  path: string;
  /** The arguments that stand there already. */
  args: readonly string[];
  /** The values of the options that stand there already, by their long names. */
  options: ReadonlyMap<string, readonly string[]>;
  wanted: Wanted;
}>;

/** Reads the words before the cursor as commander would, and says what is to come. `word` is the one being typed. */
export function placeOf(program: Command, before: readonly string[], word: string): Place {
  let command = program;
  let pending: Option | undefined;
  let areOptionsOver = false;
  const path: string[] = [];
  const args: string[] = [];
  const options = new Map<string, string[]>();

  for (const each of before) {
    if (pending !== undefined) {
      note(options, pending, each);
      pending = undefined;
    } else if (each === '--' && !areOptionsOver) areOptionsOver = true;
    else if (isOption(each) && !areOptionsOver) {
      const { name, value } = cutOption(each);
      const option = command.options.find(({ long, short }) => name === long || name === short);
      if (option?.required !== true) continue;
      if (value === undefined) pending = option;
      else note(options, option, value);
    } else {
      const next = args.length === 0 ? subcommandsOf(command).find((sub) => sub.name() === each) : undefined;
      if (next === undefined) args.push(each);
      else {
        command = next;
        path.push(each);
      }
    }
  }
  const wanted = wantedAt(command, { pending, word, args, areOptionsOver });
  return { path: path.join(' '), args, options, wanted };
}

function wantedAt(
  command: Command,
  {
    pending,
    word,
    args,
    areOptionsOver,
  }: { pending: Option | undefined; word: string; args: readonly string[]; areOptionsOver: boolean },
): Wanted {
  if (pending !== undefined) return valueOfOption(pending, '');
  if (isOption(word) && !areOptionsOver) {
    const { name, value } = cutOption(word);
    if (value === undefined) return { kind: 'option', options: command.createHelp().visibleOptions(command) };
    const option = command.options.find(({ long }) => name === long);
    return option?.required === true ? valueOfOption(option, `${name}=`) : { kind: 'nothing' };
  }
  const subcommands = subcommandsOf(command);
  if (subcommands.length > 0 && args.length === 0) return { kind: 'command', commands: subcommands };
  const argument = argumentAt(command, args.length);
  if (argument === undefined) return { kind: 'nothing' };
  return { kind: 'value', name: `<${argument.name()}>`, choices: argument.argChoices ?? [], head: '' };
}

function valueOfOption({ long, argChoices }: Option, head: string): Wanted {
  return { kind: 'value', name: long ?? '', choices: argChoices ?? [], head };
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

/** Those that the help shows, and `help` itself. */
function subcommandsOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [] : command.createHelp().visibleCommands(command);
}

/** A single dash is a word like any other. */
function isOption(word: string): boolean {
  return word.length > 1 && word.startsWith('-');
}

function cutOption(word: string): { name: string; value: string | undefined } {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? { name: word, value: undefined } : { name: word.slice(0, at), value: word.slice(at + 1) };
}

function note(options: Map<string, string[]>, { long }: Option, value: string): void {
  if (long !== undefined && long !== null) options.set(long, [...(options.get(long) ?? []), value]);
}
