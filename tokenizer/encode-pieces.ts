import type { Mark } from './marks.js';

interface MaskedText {
  text: string;
  supervised: boolean;
}

/** Text, a mark, or ids that a model gave. */
export type Piece = MaskedText | { mark: Mark; supervised: boolean } | { ids: readonly number[]; supervised: boolean };

/** Encodes pieces: texts of one mask between two marks together. A mark that takes spaces beside it takes them from those texts. */
export function encodePieces(pieces: readonly Piece[], encode: (text: string) => number[]): { ids: number[]; mask: number[] } {
  const ids: number[] = [];
  const mask: number[] = [];
  const add = (more: readonly number[], supervised: boolean) => {
    for (const id of more) {
      ids.push(id);
      mask.push(Number(supervised));
    }
  };
  let texts: MaskedText[] = []; // since the last mark, neighbours of other masks
  const flush = (next?: Mark, ofAnswer = false) => {
    if (next?.lstrip) texts = trimmedEnd(texts, ofAnswer);
    for (const { text, supervised } of texts) add(encode(text), supervised);
    texts = [];
  };
  let strips = false; // spaces that follow belong to the last mark
  for (const piece of pieces) {
    const { supervised } = piece;
    if ('text' in piece) {
      const text: string = strips ? piece.text.trimStart() : piece.text;
      strips &&= text === '';
      const last = texts.at(-1);
      if (last?.supervised === supervised) last.text += text;
      else if (text !== '') texts.push({ text, supervised });
      continue;
    }
    flush('mark' in piece ? piece.mark : undefined, supervised);
    strips = 'mark' in piece && piece.mark.rstrip;
    add('mark' in piece ? [piece.mark.id] : piece.ids, supervised);
  }
  flush();
  return { ids, mask };
}

/** Without white space at the end. @param ofAnswer what an answer's own mark takes from the prompt is left: the prompt is encoded without it. */
function trimmedEnd(texts: readonly MaskedText[], ofAnswer: boolean): MaskedText[] {
  const kept = [...texts];
  for (let last = kept.pop(); last; last = kept.pop()) {
    const text = ofAnswer && !last.supervised ? last.text : last.text.trimEnd();
    if (text !== '') return [...kept, { ...last, text }];
  }
  return [];
}
