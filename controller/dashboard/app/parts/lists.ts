/** What an input of labels may hold: `key=value`, with commas between. */
export const LABELS_PATTERN = '\\s*[^=,]+=[^,]*(,[^=,]+=[^,]*)*';

/** What was typed with commas between. */
export function toList(text: string, separator = ','): string[] {
  return text
    .split(separator)
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** Labels that were typed as `key=value`, with commas between, or with another separator where values hold commas. */
export function toLabels(text: string, separator = ','): Record<string, string> {
  return Object.fromEntries(
    toList(text, separator).map((pair) => {
      const [key = '', ...value] = pair.split('=');
      return [key.trim(), value.join('=').trim()];
    }),
  );
}

/** Each label as `key=value`. */
export function fromLabels(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}
