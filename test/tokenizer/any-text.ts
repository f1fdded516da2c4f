import fc from 'fast-check';

/** Text with what usually goes wrong: spaces, line ends, letters, marks, apostrophes, digits, emoji, any code point, lone surrogates. */
export const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[' ', '  ', '\n', '\r\n', '\t', "'s", "'LL", "'", 'The', ' fox', 'aaaa', '12', '３', '模型', '🎉', '👩‍👧', 'e\u0301', '\u0085'],
        ...['\ufeff', '\0', '<|bos|>', '<|endoftext|>', '<tool_call>'],
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('\ud800', '\udc00'),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

/** Text as UTF-8 holds it: lone surrogates become U+FFFD. */
export const replaced = (text: string) => Buffer.from(text, 'utf8').toString('utf8');
