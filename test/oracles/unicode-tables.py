"""Writes tokenizer/unicode.ts: the character classes as Python `tokenizers` sees them (run from the project's root)."""
from tokenizers import Regex, pre_tokenizers

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(n):
    return DIGITS[n] if n < 36 else base36(n // 36) + DIGITS[n % 36]


def table(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    members = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not split.pre_tokenize_str(chr(c))]
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


letters, numbers, marks, spaces = (table(p) for p in (r"\p{L}", r"\p{N}", r"\p{M}", r"\s"))
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
);""")
