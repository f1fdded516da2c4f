import assert from 'node:assert/strict';
import { stripVTControlCharacters } from 'node:util';
import { displayWidth, hasColour, histogram, paint, table, tokenStripes } from '../../util/terminal.js';
import { textOfBytes, visibleToken } from '../../util/visible.js';
import { withEnvironment } from './environment.js';

const COLOUR = { FORCE_COLOR: '1', NO_COLOR: undefined };
const PLAIN = { FORCE_COLOR: undefined, NO_COLOR: '1' };

describe('terminal: colour', () => {
  it('is for terminals; NO_COLOR takes it away and FORCE_COLOR brings it', () => {
    const terminal = { isTTY: true };
    assert.equal(hasColour(terminal, {}), true);
    assert.equal(hasColour({}, {}), false);
    assert.equal(hasColour(terminal, { NO_COLOR: '1' }), false);
    assert.equal(hasColour(terminal, { NO_COLOR: '' }), true); // empty counts as unset: no-color.org
    assert.equal(hasColour(terminal, { TERM: 'dumb' }), false);
    assert.equal(hasColour({}, { FORCE_COLOR: '1', NO_COLOR: '1' }), true);
    assert.equal(hasColour(terminal, { FORCE_COLOR: '0' }), false);
  });

  it('is painted with escape sequences, or left out', () => {
    withEnvironment(COLOUR, () => assert.equal(paint('hot', 'red'), '\x1b[31mhot\x1b[39m'));
    withEnvironment(PLAIN, () => assert.equal(paint('hot', 'red'), 'hot'));
  });
});

describe('terminal: width and tables', () => {
  it('counts the columns of a text', () => {
    const cases: [string, number][] = [
      ['abc', 3],
      ['樱花', 4],
      ['、！', 4], // ideographic comma and full-width exclamation mark
      ['한글', 4],
      ['e\u0301', 1], // é of two code points
      ['👍', 2],
      ['👨‍👩‍👧', 2],
      ['…é│', 3],
      ['\x1b[31mred\x1b[39m', 3],
      ['', 0],
    ];
    for (const [text, width] of cases) assert.equal(displayWidth(text), width, JSON.stringify(text));
  });

  it('lines columns up, numbers to the right, Chinese as two columns', () => {
    withEnvironment(PLAIN, () => {
      const rows = [
        ['维基', 1234567, '12.0%'],
        ['books', 89, '3%'],
      ];
      assert.equal(
        table(rows, { header: ['source', 'documents', 'share'], align: [undefined, undefined, 'right'] }),
        ['source  documents  share', '维基    1,234,567  12.0%', 'books          89     3%'].join('\n'),
      );
    });
  });

  it('keeps a cell on its line and its escape sequences harmless', () => {
    withEnvironment(PLAIN, () => assert.equal(table([['a\nb', 'c\x1b[2Jd', 'e']]), 'a↵b  c␛[2Jd  e'));
  });

  it('is empty without rows', () => assert.equal(table([]), ''));
});

describe('terminal: histograms', () => {
  it('draws bars in proportion, in eighths of a column', () => {
    withEnvironment(PLAIN, () => {
      const drawn = histogram(
        [
          { label: '1', value: 8 },
          { label: '10', value: 3 },
          { label: '100', value: 0, note: 'none' },
        ],
        4,
      );
      assert.equal(drawn, '  1  ████ 8\n 10  █▌ 3\n100  none');
    });
  });

  it('shows that a small value is there', () => {
    withEnvironment(PLAIN, () => {
      const bars = [
        { label: 'a', value: 1e6 },
        { label: 'b', value: 1 },
      ];
      assert.equal(histogram(bars, 2), 'a  ██ 1,000,000\nb  ▏ 1');
    });
  });
});

describe('tokens made visible', () => {
  it('shows bytes that are no whole character in hex', () => {
    assert.equal(textOfBytes(Buffer.from('é樱')), 'é樱');
    assert.equal(textOfBytes(Uint8Array.of(0xe6, 0xa8)), '⟨E6⟩⟨A8⟩');
    assert.equal(textOfBytes(Uint8Array.of(0xb1, 0x61, 0xf0, 0x9f)), '⟨B1⟩a⟨F0⟩⟨9F⟩');
    assert.equal(textOfBytes(Uint8Array.of(0xc0, 0x80, 0xff)), '⟨C0⟩⟨80⟩⟨FF⟩');
    assert.equal(textOfBytes(Uint8Array.of(0xef, 0xbb, 0xbf)), '\ufeff');
  });

  it('shows spaces where they would not be seen, line breaks, tabs and controls', () => {
    const cases = {
      ' the': ' the',
      '  the': '␣␣the',
      ' ': '␣',
      '   ': '␣␣␣',
      'a b': 'a b',
      'a ': 'a␣',
      '\r\n\t': '␍↵⇥',
      '\x00\x1b[2J\x7f\x85': '␀␛[2J␡⟨U+0085⟩',
      '\u202eabc': '⟨U+202E⟩abc',
      '\u0301': '◌\u0301',
      '\u200d': '⟨U+200D⟩',
      '👨‍👩‍👧': '👨‍👩‍👧',
      '': '⟨⟩',
    };
    for (const [text, shown] of Object.entries(cases)) assert.equal(visibleToken(text), shown, JSON.stringify(text));
  });

  const pieces = [
    { id: 0, text: '<|bos|>', special: true },
    { id: 5, text: 'To' },
    { id: 6, text: ' be\n' },
    { id: 7, text: 'or' },
  ];

  it('stands between bars without colour, lines broken where the text breaks them', () => {
    withEnvironment(PLAIN, () => assert.equal(tokenStripes(pieces), '<|bos|>|To| be↵\nor'));
  });

  it('alternates backgrounds in colour, and ends each before the line ends', () => {
    withEnvironment(COLOUR, () => {
      const escaped = tokenStripes(pieces);
      const backgrounds = [...escaped.matchAll(/48;5;(\d+)m/g)].map((match) => match[1]);
      assert.equal(new Set(backgrounds).size, 3);
      assert.equal(escaped.split('\n').length, 2);
      for (const line of escaped.split('\n')) assert.ok(line.endsWith('\x1b[0m'));
    });
  });

  const special = (text: string, faint: boolean) => ({ id: 0, text, special: true, faint });
  const words = (text: string, faint: boolean) => (text.match(/ ?\S+\n*/g) ?? []).map((word) => ({ id: 1, text: word, faint }));

  it('marks tokens that are to be predicted by a sign before their lines, which hold no others', () => {
    const masked = [
      special('<|bos|>', true),
      special('<|user|>', true),
      ...words('two\n plus two?', true),
      special('<|eos|>', true),
      special('<|assistant|>', true),
      ...words('It is\n\n four', false),
      special('<|eos|>', false),
      special('<|user|>', true),
    ];
    withEnvironment(PLAIN, () => {
      const lines = [
        '  <|bos|>',
        '  <|user|>|two↵',
        '   plus| two?|<|eos|>',
        '  <|assistant|>',
        '▌ It| is↵',
        '▌ ↵',
        '▌  four|<|eos|>',
        '  <|user|>',
      ];
      assert.equal(tokenStripes(masked, 80), lines.join('\n'));
    });
    withEnvironment(COLOUR, () => {
      const lines = tokenStripes(masked, 80).split('\n');
      assert.deepEqual(
        lines.map((line) => /48;5;(?:250|254|244)m/.test(line)),
        lines.map((line) => !stripVTControlCharacters(line).startsWith('▌')),
        'grey is what is not to be predicted',
      );
    });
  });

  it('breaks lines of masked tokens at the width, Chinese characters being two columns wide, and marks each', () => {
    const masked = [
      ...words('one two', true),
      ...[...'世界上最长的句子'].map((text) => ({ id: 2, text, faint: false })),
      ...words(' 0123456789abcdef', false),
    ];
    withEnvironment(PLAIN, () => {
      const lines = tokenStripes(masked, 11).split('\n');
      assert.deepEqual(lines, ['  one| two', '▌ 世|界|上|最', '▌ 长|的|句|子', '▌  0123456789abcdef']);
    });
  });
});
