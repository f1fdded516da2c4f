import assert from 'node:assert/strict';
import { scrubContacts } from '../../datasets/clean/scrub-contacts.js';
import { applied } from './clean-helpers.js';

function scrubbed(text: string, values = {}): string {
  const outcome = applied(scrubContacts, text, values);
  return typeof outcome === 'object' ? outcome.text : text;
}

describe('scrubbing contacts', () => {
  const EMAILS = {
    'Write to someone@example.net.': 'Write to <email>.',
    'a.b+c_d-e%f@mail.example.co.uk, please': '<email>, please',
    '<jane@example.com>': '<<email>>',
    'mailto:jane@example.com': 'mailto:<email>',
    '邮箱是zhang.san@example.cn。谢谢': '邮箱是<email>。谢谢',
    'one@a.com;two@b.org': '<email>;<email>',
    'https://example.com/?mail=jane@example.com': 'https://example.com/?mail=<email>',
    '.jane@example.com': '.<email>',
    'naïve café: josé jane@example.com ü': 'naïve café: josé <email> ü',
    'someone@example.net.\nNext': '<email>.\nNext',
  };
  for (const [text, expected] of Object.entries(EMAILS)) it(`an address: ${text}`, () => assert.equal(scrubbed(text), expected));

  const PHONES = {
    'call +1 (555) 010-7788.': 'call <phone>.',
    '+44 20 7946 0958': '<phone>',
    '+86 138 0013 8000': '<phone>',
    '+8613800138000': '<phone>',
    '+49-30-1234567, Berlin': '<phone>, Berlin',
    '(415) 555-2671': '<phone>',
    '415-555-2671': '<phone>',
    '415.555.2671': '<phone>',
    '1-415-555-2671': '<phone>',
    '1-800-555-0199': '<phone>',
    'Phone: 555 0134 77': 'Phone: <phone>',
    'tel. 020 7946 0958': 'tel. <phone>',
    'Call us at 555-0134, or on 555-0135': 'Call us at <phone>, or on 555-0135',
    '手机13800138000，请联系': '手机<phone>，请联系',
    '我的号码 138-0013-8000。': '我的号码 <phone>。',
    '电话：010-12345678': '电话：<phone>',
    '(0755) 12345678': '<phone>',
    '客服热线400-123-4567': '客服热线<phone>',
    'home 415-555-2671 / work 415-555-2672': 'home <phone> / work <phone>',
    '(415-555-2671)': '(<phone>)',
  };
  for (const [text, expected] of Object.entries(PHONES)) it(`a phone number: ${text}`, () => assert.equal(scrubbed(text), expected));

  const NEITHER = [
    'git@github.com:someone/project.git',
    'icon@2x.png',
    'https://user:password@example.com/path',
    'user@localhost',
    '@media (max-width: 600px)',
    'npm i left-pad@1.3.0',
    'a @ b.com',
    'x@y',
    '2023-10-12',
    '12/10/2023 10:30',
    '2019-2020-2021',
    '1995-2005',
    '$1,234,567.00',
    '$12345678',
    '12345678元',
    '1,000,000,000',
    '3.14159265358979',
    'ISBN 978-0-306-40615-7',
    'ISBN 0-306-40615-2',
    'ISBN: 0131103628',
    'ISBN-13: 9780131103627',
    'version 10.15.7.1234567',
    '192.168.100.200',
    '10.1145/3292500.3330701',
    'arXiv:2101.00027',
    '0x1234567890',
    'x = 4155552671;',
    'f(1234567890)',
    'id 4155552671',
    '1234567890123456',
    '1609459200',
    '1609459200000',
    'order 415-555-2671',
    '4155552671',
    '415 555 2671 888',
    '1 + 12345678 = 12345679',
    '5+12345678',
    'C3A1-4155552671',
    '100 200 3000 4000',
    '110101199003074578',
    '3.50 7.25 10.75 12.00',
    '2024-01-15T10:30:00.1234567Z',
    '1234-5678-9012-3456',
    'SSN 123-45-6789',
    'pages 1234-1245',
    '12345678 people',
    'call 2023-10-12',
    '48/2=24 24+24=48 1000000*2',
    '13800000000元',
    '北纬39.9042135度',
  ];
  for (const text of NEITHER) it(`neither: ${text}`, () => assert.equal(applied(scrubContacts, text), undefined));

  it('says how many of each', () => {
    const outcome = applied(scrubContacts, 'a@b.com c@d.org, (415) 555-2671');
    assert.deepEqual(outcome, { text: '<email> <email>, <phone>', reason: '2 e-mail addresses, 1 phone number' });
  });

  it('either kind can be left alone', () => {
    assert.equal(scrubbed('a@b.com (415) 555-2671', { phones: false }), '<email> (415) 555-2671');
    assert.equal(scrubbed('a@b.com (415) 555-2671', { emails: false }), 'a@b.com <phone>');
  });

  it('much that looks alike is read in linear time', () => {
    for (const text of [
      'a@'.repeat(50000),
      'a.'.repeat(50000),
      `${'a.'.repeat(50000)}@b`,
      '1-'.repeat(50000),
      '+1 ('.repeat(30000),
      '@'.repeat(100000),
      `a@${'b.'.repeat(50000)}`,
    ]) {
      const began = performance.now();
      applied(scrubContacts, text);
      assert.ok(performance.now() - began < 3000, `${text.slice(0, 10)}: ${performance.now() - began} ms`);
    }
  });
});
