import type { z } from 'zod';
import { ActionSpec, Capabilities, HookSpec } from '../../protocol/messages/capabilities.js';
import type { Mask } from './mask.js';

/** What may be said of an offer; `leftOut` is how many hooks and built-ins are not in it. */
export type MaskedOffers = Readonly<{ value: Capabilities; leftOut: number }>;

const Rest = Capabilities.pick({ binary: true, containers: true, terminals: true, limits: true });

/**
 * An announcement without registered values. A hook or built-in that is called by one, or takes a parameter that is, is
 * left out, since nobody could ask for it under another name; so is what the protocol does not take once it is masked.
 * `limits.hooks_left_out` counts these hooks, too. Node and org stay: they say whose announcement it is. The same object
 * when there is nothing in it.
 */
export function maskOffers(mask: Mask, value: Capabilities): MaskedOffers {
  if (!mask.isOn()) return { value, leftOut: 0 };
  const { v, node, org, builtin_actions, hooks, ...rest } = value;
  const builtins = maskSpecs(mask, ActionSpec, builtin_actions);
  const kept = maskSpecs(mask, HookSpec, hooks);
  const shownRest = mask.json(rest);
  if (builtins.isClean && kept.isClean && shownRest === rest) return { value, leftOut: 0 };
  const { limits, ...others } = Rest.safeParse(shownRest).data ?? nothingOf(rest);
  const hooksLeftOut = kept.leftOut + countOf(value.limits.hooks_left_out);
  return {
    value: {
      ...{ v, node, org, ...others, builtin_actions: builtins.shown, hooks: kept.shown },
      limits: { ...limits, ...(hooksLeftOut > 0 ? { hooks_left_out: hooksLeftOut } : {}) },
    },
    leftOut: builtins.leftOut + kept.leftOut,
  };
}

function maskSpecs<T extends ActionSpec>(mask: Mask, schema: z.ZodType<T>, specs: readonly T[]) {
  const masked = specs.map((spec) => {
    const shown = mask.json(spec);
    return shown === spec ? spec : sameNames(spec, schema.safeParse(shown).data);
  });
  const shown = masked.flatMap((spec) => spec ?? []);
  const isClean = masked.every((spec, index) => spec === specs[index]);
  return { shown, isClean, leftOut: specs.length - shown.length };
}

/** What is masked, unless that changed a name by which it is asked for. */
function sameNames<T extends ActionSpec>(spec: T, masked: T | undefined): T | undefined {
  const names = (of: ActionSpec): string => JSON.stringify([of.name, ...of.parameters.map(({ name }) => name)]);
  return masked !== undefined && names(masked) === names(spec) ? masked : undefined;
}

/** Of what cannot be told: that there are containers, which count as protected then. */
function nothingOf({ containers, limits }: z.infer<typeof Rest>): z.infer<typeof Rest> {
  const leftOut = containers.length + countOf(limits.containers_left_out);
  return { containers: [], terminals: [], limits: leftOut > 0 ? { containers_left_out: leftOut } : {} };
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
}
