"""Writes tokenizer/unicode.ts: the character classes as Python `tokenizers` sees them (run from the project's root)."""
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(n):
    return DIGITS[n] if n < 36 else base36(n // 36) + DIGITS[n % 36]


POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def matching(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return [c for c in POINTS if not split.pre_tokenize_str(chr(c))]


def word_characters():
    """Those beside which an added token is not a single word."""
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.add_tokens([AddedToken("xx", single_word=True)])
    return [c for c, encoding in zip(POINTS, tokenizer.encode_batch_fast(["xx" + chr(c) for c in POINTS])) if encoding.ids[0] == 0]


def normalization():
    """What NFC can change: characters that change, move, or join the one before; and those before such a one that it can change."""
    nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
    active, firsts = set(), set(range(0xAC00, 0xD7A4))
    for c in POINTS:
        ch = chr(c)
        moves = nfc("a" + ch + "\u0334") == "a\u0334" + ch or nfc("a\u0345" + ch) == "a" + ch + "\u0345"
        if moves or nfc(ch) != ch:
            active.add(c)
        parts = nfd(ch)
        first = nfc(parts[:-1])
        if parts != ch:
            firsts.add(c)  # its marks may change places with those after it
            if len(first) == 1 and nfc(first + parts[-1]) == ch:
                firsts.add(ord(first))
                active.add(ord(parts[-1]))
    return sorted(active), sorted(firsts - active)


def table(members):
    ranges = []
    for c in members:
        if ranges and c == ranges[-1][1] + 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    out, previous = [], 0
    for first, last in ranges:
        out += [base36(first - previous), base36(last - first)]
        previous = last
    lines, line = [], ""
    for item in out:
        if len(line) + len(item) + 1 > 128:
            lines.append(line)
            line = ""
        line += item + " "
    lines.append(line.rstrip())
    return " +\n".join(f"    '{l}'" for l in lines)


sets = [matching(p) for p in (r"\p{L}", r"\p{N}", r"\p{M}", r"\s")]
letters, numbers, marks, spaces = (table(members) for members in sets)
words = table(sorted(set(word_characters()) - set(sets[0]) - set(sets[2])))
active, firsts = (table(members) for members in normalization())
print(f"""/**
 * Unicode 16.0's letters (L), numbers (N), combining marks (M) and spaces, pinned: an engine of JavaScript takes \\p{{L}} from its own
 * Unicode tables, and token ids must not depend on its version. Written by test/oracles/unicode-tables.py; the same tables as
 * Python `tokenizers` 0.23 has.
 */

/** Base-36 pairs: distance from the end of the range before, length of the range less one. Returns first and last of each range. */
function ranges(table: string): [number, number][] {{
  const numbers = table.split(' ').map((n) => Number.parseInt(n, 36));
  const out: [number, number][] = [];
  let position = 0;
  for (let i = 0; i < numbers.length; i += 2) {{
    const first = position + numbers[i];
    position = first + numbers[i + 1];
    out.push([first, position]);
  }}
  return out;
}}

export const LETTERS = ranges(
{letters},
);

export const NUMBERS = ranges(
{numbers},
);

export const MARKS = ranges(
{marks},
);

/** White_Space, which is what `\\s` means outside JavaScript (with U+0085, without U+FEFF). */
export const SPACES = ranges(
{spaces},
);

/** What `\\w` has beside letters and marks: decimal digits, numbers that are letters, connecting punctuation, joiners. */
export const WORD_CHARACTERS = ranges(
{words},
);

/**
 * What NFC can change: characters that change, that move among others, or that join the one before; and those before them that can change with
 * them. An engine knows newer characters, too, which are to stay as they are.
 */
export const NFC_ACTIVE = ranges(
{active},
);

export const NFC_FIRST = ranges(
{firsts},
);""")
