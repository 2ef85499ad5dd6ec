import { memo, useEffect, useRef, useState } from 'react';
import { type Block, toBlocks } from './terminal.js';

/** Of a line in the style sheet, in em. */
const LINE_EM = 1.5;
/** A block with more pieces than this has its colours only while it is seen. */
const FEW_PIECES = 200;

/** What a program printed, with its colours. All of it is text, whatever it looks like. */
export function AnsiText({ text }: { text: string }) {
  const [shown, setShown] = useState(() => ({ text, blocks: toBlocks(text) }));
  const { blocks } = shown.text === text ? shown : { blocks: toBlocks(text, shown.blocks) };
  if (shown.text !== text) setShown({ text, blocks });
  return (
    <div className="ansi">
      {blocks.map((block) => (
        <Lines key={block.firstLine} block={block} />
      ))}
    </div>
  );
}

/** Drawn anew only when it shows something else: of output that grows only its end does. */
const Lines = memo(({ block: { lines, pieces } }: { block: Block }) => {
  const ref = useRef<HTMLDivElement>(null);
  const isMany = pieces.length > FEW_PIECES;
  const isSeen = useIsSeen(ref, isMany);
  return (
    <div ref={ref} className="ansi-lines" style={{ containIntrinsicBlockSize: `${lines * LINE_EM}em` }}>
      {isMany && !isSeen ? pieces.map(({ text }) => text).join('') : pieces.map(toSpan)}
    </div>
  );
});

function toSpan({ text, look: { className, color, background } }: Block['pieces'][number], index: number) {
  if (className === '' && color === undefined && background === undefined) return text;
  return (
    <span key={index} className={className} style={{ color, background }}>
      {text}
    </span>
  );
}

/** Whether some of the element is in sight; it is not looked at unless `isAsked`. */
function useIsSeen(ref: Readonly<{ current: Element | null }>, isAsked: boolean): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (!isAsked || ref.current === null) return;
    const observer = new IntersectionObserver((entries) => setSeen(entries.at(-1)?.isIntersecting === true));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref, isAsked]);
  return isSeen;
}
