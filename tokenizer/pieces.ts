import { type TokenPiece, textOfBytes } from '../util/visible.js';
import { tokenBytes } from './bytes.js';
import type { Tokenizer } from './tokenizer.js';

/** Each token by itself as it can be shown; where it holds part of a character, its bytes in hex. An id that is no token says so. */
export function tokenPieces(tokenizer: Tokenizer, ids: ArrayLike<number>): TokenPiece[] {
  return Array.from(ids, (id) => {
    const token = tokenizer.tokenOf(id);
    if (token === undefined) return { id, text: `⟨no token ${id}⟩`, special: true };
    const length = tokenizer.byteLength(id);
    if (length === 0) return { id, text: token, special: true };
    // An added token of another's tokenizer is spelled as text, which may look like byte-level characters.
    const bytes = tokenizer.kind === 'bpe' ? tokenBytes(token) : undefined;
    return { id, text: bytes?.length === length ? textOfBytes(bytes) : token };
  });
}
