import type { z } from 'zod';
import { ActionSpec, Capabilities, HookSpec } from '../../protocol/messages/capabilities.js';
import type { Mask } from './mask.js';

/** What may be said of an offer; `leftOut` is how many hooks and built-ins are not in it. */
export type MaskedOffers = Readonly<{ value: Capabilities; leftOut: number }>;

const Rest = Capabilities.pick({ binary: true, containers: true, terminals: true, limits: true });

/**
 * An announcement without registered values. A hook or built-in that is called by one, or takes a parameter that is, is
 * left out, since nobody could ask for it under another name; so is what the protocol does not take once it is masked, and
 * a container whose id, name or key of a label holds one, since nobody could tell whether it is protected. `limits` counts
 * these hooks and containers. Node and org stay: they say whose announcement it is. The same object when there is nothing
 * in it.
 */
export function maskOffers(mask: Mask, value: Capabilities): MaskedOffers {
  if (!mask.isOn()) return { value, leftOut: 0 };
  const { v, node, org, builtin_actions, hooks, ...rest } = value;
  const builtins = maskSpecs(mask, ActionSpec, builtin_actions);
  const kept = maskSpecs(mask, HookSpec, hooks);
  const shownRest = maskRest(mask, rest);
  if (builtins.isClean && kept.isClean && shownRest === rest) return { value, leftOut: 0 };
  const { limits, ...others } = shownRest;
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

/** The same object when there is nothing in it. Containers that are left out count as protected. */
function maskRest(mask: Mask, rest: z.infer<typeof Rest>): z.infer<typeof Rest> {
  const masked = mask.json(rest);
  if (masked === rest) return rest;
  const shown = Rest.safeParse(masked).data ?? { containers: [], terminals: [], limits: {} };
  const containers = shown.containers.filter((each, index) => marksOf(each) === marksOf(rest.containers[index]));
  const leftOut = rest.containers.length - containers.length + countOf(rest.limits.containers_left_out);
  const limits = { ...shown.limits, ...(leftOut > 0 ? { containers_left_out: leftOut } : {}) };
  return { ...shown, containers, limits };
}

/** By what a container is found, and may be protected. */
function marksOf({ id, name, labels }: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify([id, name, Object.keys(Object(labels))]);
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
}
