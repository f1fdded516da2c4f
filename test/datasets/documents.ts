import { readChunks } from '../../datasets/chunks.js';
import { charactersIn, type PartName, pieces, placedChunks, type SplitOptions, trainCharacters } from '../../datasets/documents.js';

/** Documents of corpora in their order, each with the part it belongs to. */
export async function* documents(
  corpora: readonly string[],
  options: SplitOptions,
): AsyncGenerator<{ text: string; source: string; part: PartName }> {
  let characters = 0;
  for (const corpus of corpora) for await (const { text } of readChunks(corpus)) characters += charactersIn(text);
  const left = trainCharacters(characters, options.evalFraction);
  for await (const chunk of placedChunks(corpora, { split: options.split, left })) {
    for (const { document, from, to, part } of pieces(chunk, options)) {
      yield { text: Buffer.from(chunk.text.subarray(from, to)).toString('utf8'), source: chunk.sources[chunk.sourceOf[document]], part };
    }
  }
}
