import Anser from 'anser';

/** How text looks: classes for what the style sheet knows, colours for the rest. */
export type Look = Readonly<{ className: string; color?: string; background?: string }>;

/** How text that follows looks, as Anser keeps it. */
export type State = Readonly<{
  fg: string | null;
  bg: string | null;
  fg_truecolor: string | null;
  bg_truecolor: string | null;
  decorations: readonly Anser.DecorationName[];
  look: Look;
}>;

export const PLAIN: Look = { className: '' };
export const START: State = {
  fg: null,
  bg: null,
  fg_truecolor: null,
  bg_truecolor: null,
  decorations: [],
  look: PLAIN,
};

/** More colours than this a painter does not take: what follows looks like the last one. */
const MAX_CHANGES = 5_000;
/** Nothing real is longer. */
const MAX_PARAMETERS = 64;

/** How text looks from here on; begins with `state`. */
export class Painter extends Anser {
  look: Look;
  #changes = 0;
  declare fg: string | null;
  declare bg: string | null;
  declare fg_truecolor: string | null;
  declare bg_truecolor: string | null;
  /** It only grows by itself. */
  declare decorations: Anser.DecorationName[];

  constructor({ fg, bg, fg_truecolor, bg_truecolor, decorations, look }: State) {
    super();
    Object.assign(this, { fg, bg, fg_truecolor, bg_truecolor, decorations: [...decorations] });
    this.look = look;
  }

  state(): State {
    const { fg, bg, fg_truecolor, bg_truecolor, decorations, look } = this;
    return { fg, bg, fg_truecolor, bg_truecolor, decorations: [...decorations], look };
  }

  /** Parameters of `CSI … m`. */
  change(parameters: string): void {
    if (parameters.length > MAX_PARAMETERS || !/^[\d;]*$/.test(parameters) || ++this.#changes > MAX_CHANGES) return;
    const { fg, bg, fg_truecolor, bg_truecolor } = this.processChunkJson(`${parameters}m`, { use_classes: true }, true);
    this.decorations = [...new Set(this.decorations)];
    const front = toColor(fg, fg_truecolor);
    const back = toColor(bg, bg_truecolor);
    const isReverse = this.decorations.includes('reverse');
    this.look = toLook(isReverse ? (back ?? 'page') : front, isReverse ? (front ?? 'text') : back, this.decorations);
  }
}

/** What the style sheet has classes for; what hides or blinks is shown plainly. */
const DECORATIONS: ReadonlySet<string> = new Set(['bold', 'dim', 'italic', 'underline', 'strikethrough']);

function toLook(front: string | undefined, back: string | undefined, decorations: readonly string[]): Look {
  const classes = decorations.filter((each) => DECORATIONS.has(each)).map((each) => `ansi-${each}`);
  if (back !== undefined && !isOwn(back)) classes.push(`ansi-${back}-bg`);
  if (front !== undefined && !isOwn(front)) classes.push(`ansi-${front}-fg`);
  if (classes.length === 0 && front === undefined && back === undefined) return PLAIN;
  return {
    className: classes.join(' '),
    ...(front !== undefined && isOwn(front) ? { color: front } : {}),
    ...(back !== undefined && isOwn(back) ? { background: back } : {}),
  };
}

/** Whether it is a colour of its own and no name of the style sheet. */
function isOwn(color: string): boolean {
  return color.startsWith('rgb(');
}

const LEVELS = [0, 95, 135, 175, 215, 255] as const;

/** `red`, `bright-red`, or `rgb(…)`. */
function toColor(name: string | null, truecolor: string | null): string | undefined {
  if (name === null) return undefined;
  if (name === 'ansi-truecolor') return `rgb(${truecolor})`;
  const [, index] = /^ansi-palette-(\d+)$/.exec(name) ?? [];
  if (index === undefined) return name.replace('ansi-', '');
  const at = Number(index) - 16;
  const grey = 8 + (at - 216) * 10;
  const parts = at < 216 ? [at / 36, (at / 6) % 6, at % 6].map((part) => LEVELS[Math.floor(part)]) : [grey, grey, grey];
  return `rgb(${parts.join(', ')})`;
}

export function isSameLook(a: Look, b: Look): boolean {
  return a === b || (a.className === b.className && a.color === b.color && a.background === b.background);
}

export function isSameState(a: State, b: State): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
