import assert from 'node:assert/strict';
import { c4Quality } from '../../datasets/clean/c4-quality.js';
import { gopherQuality } from '../../datasets/clean/gopher-quality.js';
import { repeatedLines, repeatedNgrams } from '../../datasets/clean/repetition.js';
import { applied, words } from './clean-helpers.js';

const stop = 'the of'; // two stop words

describe("Gopher's quality rules", () => {
  const gopher = (text: string, values = {}) => applied(gopherQuality, text, values);
  /** `n` words of `length` letters, the last two of which are stop words. */
  const text = (n: number, length = 5) => `${'x'.repeat(length)} `.repeat(n - 2) + stop;

  it('50 words pass, 49 do not', () => {
    assert.equal(gopher(text(50)), undefined);
    assert.equal(gopher(text(49)), '49 words < 50');
  });

  it('100,000 words pass, 100,001 do not', () => {
    assert.equal(gopher(text(100000)), undefined);
    assert.equal(gopher(text(100001)), '100001 words > 100000');
  });

  it('a mean word length of 3 passes, less does not; of 10, more does not', () => {
    // 98 words and "the of": (98 · 3 + 3 + 3) / 100 = 3
    assert.equal(gopher(`${'abc '.repeat(98)}the of,`), undefined);
    assert.equal(gopher(`${'abc '.repeat(98)}the of`), 'mean word length 2.99 < 3');
    const long = `${'abcdefghij '.repeat(47)}${'x'.repeat(25)} the of`; // (470 + 25 + 5) / 50 = 10
    assert.equal(gopher(long), undefined);
    assert.equal(gopher(`${long}.`), 'mean word length 10.02 > 10');
  });

  it('# and ellipses: a tenth of the words pass, more do not', () => {
    const with_ = (sign: string, n: number) => `${'hello '.repeat(98 - n)}${`hello${sign} `.repeat(n)}${stop}`;
    assert.equal(gopher(with_('#', 10)), undefined);
    assert.equal(gopher(with_('#', 11)), '0.11 # a word > 0.1');
    assert.equal(gopher(with_('...', 10)), undefined);
    assert.equal(gopher(with_('...', 11)), '0.11 ellipses a word > 0.1');
    assert.equal(gopher(with_('…', 11)), '0.11 ellipses a word > 0.1');
  });

  it('bullets: 9 of 10 lines pass, 10 of 10 do not; a minus without a space is no bullet', () => {
    const lines = (bullets: string[]) => bullets.map((bullet) => `${bullet}the end of hello hello hello`).join('\n');
    const nine = ['- ', '* ', '•', '‣ ', '● ', '· ', '■ ', '- ', '- '];
    assert.equal(gopher(lines([...nine, ''])), undefined);
    assert.equal(gopher(lines([...nine, '-'])), undefined);
    assert.equal(gopher(lines([...nine, '- '])), '1 of lines begin with a bullet > 0.9');
  });

  it('ellipses at line ends: 3 of 10 pass, 4 of 10 do not', () => {
    const lines = (n: number) =>
      Array.from({ length: 10 }, (_, i) => `the end of hello hello hello hello${i < n ? (i % 2 ? '...' : '…') : '.'}`).join('\n');
    assert.equal(gopher(lines(3)), undefined);
    assert.equal(gopher(lines(4)), '0.4 of lines end with an ellipsis > 0.3');
  });

  it('words with a letter: 80 of 100 pass, 79 do not', () => {
    const mixed = (n: number) => `${'hello '.repeat(n - 2)}${'12345 '.repeat(100 - n)}${stop}`;
    assert.equal(gopher(mixed(80)), undefined);
    assert.equal(gopher(mixed(79)), '0.79 of words have a letter < 0.8');
  });

  it('two different stop words pass, one does not however often', () => {
    assert.equal(gopher(`${'hello '.repeat(60)}The, WITH`), undefined);
    assert.equal(gopher(`${'hello '.repeat(60)}the the the`), '1 stop words < 2');
  });

  it('Chinese: 75 characters are 50 words; the length of words and stop words are not asked for', () => {
    assert.equal(gopher('模型'.repeat(37)), '49.3 words < 50');
    assert.equal(gopher(`${'模型'.repeat(37)}好`), undefined);
    assert.equal(gopher(`${'模型…'.repeat(60)}`), '0.5 ellipses a word > 0.1', 'what is not about English stays');
    assert.equal(gopher(`${'模型 12345 '.repeat(60)}`), '0.667 of words have a letter < 0.8');
  });

  it('the thresholds are parameters', () => {
    assert.equal(gopher(text(49), { min_words: 49 }), undefined);
    assert.equal(gopher('hello '.repeat(60), { min_stop_words: 0 }), undefined);
  });
});

describe("C4's quality rules", () => {
  const three = 'This is the first good sentence. This is the second good one!\nAnd this is the third, is it?';
  const c4 = (text: string, values = {}) => applied(c4Quality, text, values);

  it('a page of three sentences passes, of two does not', () => {
    assert.equal(c4(three), undefined);
    assert.equal(c4('This is the first good sentence. This is the second good one!'), '2 sentences < 3');
  });

  it('lines without a terminal mark, with an ellipsis, and of fewer than five words go', () => {
    const result = c4(
      `A line of a menu without an end\n${three}\nRead more about all of this...\nOnly four words here.\nNow there are five words.\nHe said: "I am quite sure"`,
    );
    assert.deepEqual(result, {
      text: `${three}\nNow there are five words.\nHe said: "I am quite sure"`,
      reason: '2 lines: no terminal punctuation mark; 1 line: words < 5',
    });
  });

  it('blank lines stay, white space after the end of a line does not matter', () => assert.equal(c4(`${three} \r\n\n${three}`), undefined));

  it('a word of 1,000 characters passes, of 1,001 does not', () => {
    const line = (n: number) => `${three}\nThis line has a word: ${'ü'.repeat(n - 1)}.`;
    assert.equal(c4(line(1000)), undefined);
    assert.deepEqual(c4(line(1001)), { text: three, reason: '1 line: a word > 1000 characters' });
  });

  it('lines about javascript and cookies go', () => {
    const result = c4(
      `${three}\nPlease turn on JavaScript to see all of this.\nBy going on you accept our Privacy Policy and more.\nThis site uses cookies to know who you are.`,
    );
    assert.deepEqual(result, { text: three, reason: '1 line: javascript; 2 lines: cookie or privacy policy' });
  });

  it('citation marks go', () =>
    assert.deepEqual(c4(`${three}\nIt was so in those days.[1][23] Or not in those days.[citation needed][edit]`), {
      text: `${three}\nIt was so in those days. Or not in those days.`,
      reason: '1 line: citation marks',
    }));

  it('pages with { or lorem ipsum go', () => {
    assert.equal(c4(`${three} {`), `{ at byte ${three.length + 1}`);
    assert.equal(c4(`${three}\nLorem Ipsum dolor sit amet sic.`), `"lorem ipsum" at byte ${three.length + 1}`);
  });

  it('a page whose lines are removed until two sentences are left goes, and says why', () =>
    assert.equal(
      c4('This is the first good sentence. This is the second good one!\nmenu'),
      '2 sentences < 3 after lines were removed (1 line: no terminal punctuation mark)',
    ));

  it('Chinese: full-width marks end lines and sentences; eight characters are five words', () => {
    const page = '今天的天气非常好。我们去公园散步吗？\n她说：“这真是太好了！”';
    assert.equal(c4(page), undefined);
    assert.deepEqual(c4(`${page}\n首页\n这里没有句号的一行文字\n七个字不够长了。\n八个字就已经够了。`), {
      text: `${page}\n八个字就已经够了。`,
      reason: '2 lines: no terminal punctuation mark; 1 line: words < 5',
    });
  });

  it('the terminal mark and { can be allowed', () => {
    assert.equal(c4(`${three}\nA line of a menu without end`, { terminal_punctuation: false }), undefined);
    assert.equal(c4(`${three} {`, { curly_bracket: false, terminal_punctuation: false }), undefined);
  });
});

describe('repeated lines', () => {
  const lines = (text: string, values = {}) => applied(repeatedLines, text, values);
  const own = (n: number, length: number) => Array.from({ length: n }, (_, i) => String(i).padEnd(length, 'x'));

  it('3 of 10 lines pass, 4 of 10 do not', () => {
    assert.equal(lines([...own(6, 20), 'a', 'a', ' a', 'a '].join('\n')), undefined);
    assert.equal(lines([...own(5, 20), 'a', 'a', 'a', '', 'a', 'a'].join('\n')), '0.4 of lines are repeated > 0.3');
  });

  it('a fifth of the characters passes, more does not', () => {
    assert.equal(lines([...own(3, 10), 'aaaaaaaaaa', 'aaaaaaaaaa'].join('\n')), undefined); // 10 / 50
    assert.equal(lines([...own(3, 10), 'aaaaaaaaaaa', 'aaaaaaaaaaa'].join('\n')), '0.212 of characters are in repeated lines > 0.2'); // 11 / 52
  });

  it('characters, not bytes: Chinese lines beside English ones', () => {
    assert.equal(lines([...own(3, 10), '模'.repeat(10), '模'.repeat(10)].join('\n')), undefined);
  });

  it('paragraphs: 3 of 10 pass, 4 of 10 do not', () => {
    const paragraphs = (n: number, values = {}) =>
      lines(
        [
          ...Array.from({ length: 10 - n }, (_, i) =>
            own(20, 30)
              .map((line) => `${line}${i}`)
              .join('\n'),
          ),
          ...Array.from({ length: n }, () => '00000000000000000000000000000x0'),
        ].join('\n\n'),
        values,
      );
    assert.equal(paragraphs(4), undefined); // the first of the four is no repetition
    assert.equal(paragraphs(5, { lines: 1 }), '0.4 of paragraphs are repeated > 0.3');
  });

  it('characters in paragraphs: a fifth passes, more does not', () => {
    const all = (length: number) =>
      lines([...own(4, 10), 'a'.repeat(length), 'a'.repeat(length)].join('\n\n'), { lines: 1, line_characters: 1, paragraphs: 1 });
    assert.equal(all(13), undefined); // 13 / 66
    assert.equal(all(14), '0.206 of characters are in repeated paragraphs > 0.2'); // 14 / 68
  });
});

describe('repeated n-grams', () => {
  const ngrams = (text: string, values = {}) => applied(repeatedNgrams, text, values);
  /** `n` different words of 5 letters. */
  const fill = (n: number) =>
    Array.from(
      { length: n },
      (_, i) =>
        `z${'abcdefghij'[Math.floor(i / 1000)]}${'abcdefghij'[Math.floor(i / 100) % 10]}${'abcdefghij'[Math.floor(i / 10) % 10]}${'abcdefghij'[i % 10]}`,
    );
  const spread = (gram: string, times: number, others: string[]) => {
    const step = Math.floor(others.length / times);
    return Array.from(
      { length: times },
      (_, i) => `${gram} ${others.slice(i * step, i === times - 1 ? undefined : (i + 1) * step).join(' ')}`,
    ).join(' ');
  };

  // A gram of n words of 5 letters, `times` in 100 words: 5 · n · times of 500 characters.
  for (const [n, limit, passes] of [
    [2, 0.2, 10],
    [3, 0.18, 6],
    [4, 0.16, 4],
  ] as const) {
    it(`the most frequent ${n}-gram: ${limit} of the characters pass, more do not`, () => {
      const gram = Array.from({ length: n }, (_, i) => `yyyy${'abcd'[i]}`).join(' ');
      const only = Object.fromEntries([2, 3, 4].filter((m) => m !== n).map((m) => [`top_${m}`, 1]));
      assert.equal(ngrams(spread(gram, passes, fill(100 - n * passes)), only), undefined);
      const dropped = ngrams(spread(gram, passes + 1, fill(100 - n * (passes + 1))), only);
      assert.equal(dropped, `${(n * (passes + 1)) / 100} of characters are in the ${passes + 1} times "${gram}" > ${limit}`);
    });
  }

  it('an n-gram that occurs once is no repetition, however short the text', () => assert.equal(ngrams('to be'), undefined));

  // Two times n words: the second is the repetition, n of `total` words.
  for (const [n, limit] of [
    [5, 0.15],
    [6, 0.14],
    [7, 0.13],
    [8, 0.12],
    [9, 0.11],
    [10, 0.1],
  ] as const) {
    it(`repeated ${n}-grams: ${limit} of the characters pass, more do not`, () => {
      const gram = Array.from({ length: n }, (_, i) => `yyyy${'abcdefghij'[i]}`).join(' ');
      const only = Object.fromEntries([5, 6, 7, 8, 9, 10].filter((m) => m !== n).map((m) => [`duplicate_${m}`, 1]));
      const top = { top_2: 1, top_3: 1, top_4: 1 };
      const total = Math.ceil(n / limit);
      assert.equal(ngrams(spread(gram, 2, fill(total - 2 * n)), { ...only, ...top }), undefined);
      assert.match(
        String(ngrams(spread(gram, 2, fill(total - 2 * n - 1)), { ...only, ...top })),
        new RegExp(`of characters are in repeated ${n}-grams > ${limit}`),
      );
    });
  }

  it('overlapping repetitions count once: a word 20 times is 15 of 20 words in repeated 5-grams', () => {
    // 5-grams at 0 … 15 are equal; those at 1 … 15 cover the words 1 … 19
    assert.equal(ngrams('word '.repeat(20), { top_2: 2, top_3: 3, top_4: 4 }), '0.95 of characters are in repeated 5-grams > 0.15');
  });

  it('Chinese: 3, 5, 6 characters for 2-, 3-, 4-grams, and 8 for 5-grams', () => {
    const others = Array.from({ length: 85 }, (_, i) => String.fromCodePoint(0x4e00 + 7 * i)).join('');
    const twice = (length: number) => '重复的文字在这里出现两次吧'.slice(0, length);
    assert.equal(ngrams(`${others}${twice(7)}甲${twice(7)}乙`, { top_4: 1 }), undefined, 'seven are no repetition');
    assert.equal(
      ngrams(`${others.slice(0, 20)}${twice(8)}甲${twice(8)}乙`, { top_2: 1, top_3: 1, top_4: 1 }),
      '0.211 of characters are in repeated 8-grams > 0.15',
    );
    assert.match(String(ngrams(`${'模型好'.split('').join('')}甲模型好乙模型好丙丁戊己庚辛壬癸`)), /3 times "模型好" > 0.2/);
  });

  it('prose passes', () => assert.equal(ngrams(words(300)), undefined));
});
