const MAX_LENGTH = 1024;

/** The beginning of a text that an engine sent, of a length that a report can hold. */
export function clip(text: string, maxLength = MAX_LENGTH): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}
