import { z } from 'zod';
import { Labels } from '../../protocol/selectors.js';

const Strings = z.array(z.string());

/** A column that holds a JSON array of strings. */
export function readStrings(text: string): string[] {
  return Strings.parse(JSON.parse(text));
}

/** A column that holds labels as JSON. */
export function readLabels(text: string): Labels {
  return Labels.parse(JSON.parse(text));
}
