/** What an input of labels may hold: `key=value`, with commas between. */
export const LABELS_PATTERN = '\\s*[^=,]+=[^,]*(,[^=,]+=[^,]*)*';

/** What was typed with commas between. */
export function toList(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** Labels that were typed as `key=value`, with commas between. */
export function toLabels(text: string): Record<string, string> {
  return Object.fromEntries(
    toList(text).map((pair) => {
      const [key = '', ...value] = pair.split('=');
      return [key.trim(), value.join('=').trim()];
    }),
  );
}

/** The same labels as they are typed. */
export function fromLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
