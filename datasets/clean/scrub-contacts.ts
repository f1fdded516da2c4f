import { documentRule } from './rule.js';

const EMAIL = '<email>';
const PHONE = '<phone>';

/** A place in the text that is to be replaced, in bytes. */
interface Found {
  from: number;
  to: number;
  as: string;
}

/**
 * E-mail addresses become `<email>`, phone numbers `<phone>`. A phone number is one that is written as phones are: with + and a country code
 * (E.164), as in North America (555-010-7788 with area and exchange from 2 to 9, (555) 010-7788), a Chinese mobile (1[3-9] and nine digits), land line
 * (010-12345678) or 400 number, or any of 7 to 15 digits after a word such as "phone:" or 电话. Dates, prices, ISBNs, versions, IP
 * addresses, identifiers and code are left alone: a number that touches letters, other digits, a currency, or an operator is no phone number.
 * Source: as The Pile, Dolma (Soldaini et al. 2024, §3.1.4) and FineWeb remove them; E.164 (ITU-T 2010); NANP.
 */
export const scrubContacts = documentRule({
  name: 'scrub_contacts',
  about: 'e-mail addresses and phone numbers, replaced by <email> and <phone>',
  source: 'Soldaini et al. 2024; E.164; NANP',
  parameters: {
    emails: { default: true, meaning: 'Replace e-mail addresses.' },
    phones: { default: true, meaning: 'Replace phone numbers.' },
  },
  start: (what) => (document) => {
    const emailsPossible = what.emails && document.words.atSigns > 0;
    const phonesPossible = what.phones && document.words.digits >= 7 && mayHavePhone(document.bytes);
    if (!emailsPossible && !phonesPossible) return undefined;
    const text = document.byteString;
    const emails = emailsPossible ? findEmails(text) : [];
    const phones = phonesPossible ? findPhones(text).filter((phone) => !emails.some((email) => overlap(phone, email))) : [];
    if (emails.length + phones.length === 0) return undefined;
    const found = [...emails, ...phones].sort((a, b) => a.from - b.from);
    let result = '';
    let done = 0;
    for (const { from, to, as } of found) {
      result += text.slice(done, from) + as;
      done = to;
    }
    const counts = [...counted(emails.length, 'e-mail address', 'es'), ...counted(phones.length, 'phone number', 's')];
    return { bytes: Buffer.from(result + text.slice(done), 'latin1'), at: found[0].from, reason: counts.join(', ') };
  },
});

const overlap = (a: Found, b: Found) => a.from < b.to && b.from < a.to;
const counted = (n: number, what: string, plural: string) => (n === 0 ? [] : [`${n} ${what}${n > 1 ? plural : ''}`]);

const ADDRESS = /[a-z0-9](?:[a-z0-9._%+-]{0,62}[a-z0-9_%+-])?@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24}(?![a-z0-9@])/iy;
const LOCAL = /[a-z0-9._%+-]/i;

function findEmails(text: string): Found[] {
  const found: Found[] = [];
  for (let sign = text.indexOf('@'); sign >= 0; sign = text.indexOf('@', sign + 1)) {
    let from = sign;
    while (from > 0 && sign - from < 64 && LOCAL.test(text[from - 1])) from--;
    while (from < sign && !/[a-z0-9]/i.test(text[from])) from++;
    ADDRESS.lastIndex = from;
    const address = from < sign ? ADDRESS.exec(text)?.[0] : undefined;
    if (address === undefined || from + address.indexOf('@') !== sign || notAnAddress(text, from, from + address.length)) continue;
    found.push({ from, to: from + address.length, as: EMAIL });
  }
  return found;
}

function notAnAddress(text: string, from: number, to: number): boolean {
  const address = text.slice(from, to);
  if (/@[1-4]x\.(?:png|jpe?g|gif|webp|svg)$/i.test(address)) return true; // a picture for dense screens
  const before = text.slice(Math.max(0, from - 100), from);
  if (/:\/\/[^\s/?#]*$/.test(before)) return true; // https://user:password@host
  return /^:[\w~/]/.test(text.slice(to, to + 2)) && /^git@|\.git\b/.test(text.slice(from, to + 200).split(/\s/, 1)[0]); // git@host:path
}

/** What may be a phone number: digits with at most two signs between them. */
const RUN = /\+?\(?\d(?:[ ().\-/]{0,2}\d){6,24}/g;

const [MOBILE, LAND] = ['1[3-9]\\d[- ]?\\d{4}[- ]?\\d{4}', '\\(?0\\d{2,3}\\)?[- ]\\d{7,8}(?:-\\d{1,5})?'];
/** Ways to write a phone number that need no word before them; the first is checked for its number of digits besides. */
const INTERNATIONAL = /^\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,5}){1,4}/;
const NATIONAL = [
  /^(?:1[ .-])?\([2-9]\d{2}\) ?\d{3}[-. ]\d{4}/,
  /^(?:1[.-])?[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}/,
  new RegExp(`^(?:86[- ])?${MOBILE}`),
  new RegExp(`^${LAND}`),
  /^[48]00-\d{3}-?\d{4}/,
  /^1-8(?:00|33|44|55|66|77|88)-\d{3}-\d{4}/,
];

/** Whether there are seven digits with at most two signs between them. */
function mayHavePhone(bytes: Uint8Array): boolean {
  let digits = 0;
  let since = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits === 7) return true;
      since = 0;
    } else if (digits > 0 && (++since > 2 || byte > 0x39)) digits = 0;
  }
  return false;
}

const bytesOf = (text: string) => Buffer.from(text).toString('latin1');
const CHINESE = ['电话', '手机', '传真', '热线', '致电', '拨打', '電話', '手機', '傳真', '微信'].map(bytesOf).join('|');
const WORD =
  '\\b(?:tele)?phone|\\btel|\\bcall(?: (?:us|me|him|her|them))?(?: (?:at|on))?|\\bmobile|\\bcell|\\bfax|\\bwhatsapp|\\bsms|\\bdial';
const FULL_STOP_COLON = bytesOf('：');
const AFTER_WORD = new RegExp(
  `(?:(?:${WORD})(?: (?:number|no\\.?|is))*\\.?|(?:${CHINESE})(?:${['号码', '號碼'].map(bytesOf).join('|')})?(?:${bytesOf('是')}|${bytesOf('为')})?)[ \\t]*(?::|${FULL_STOP_COLON})?[ \\t]*$`,
  'i',
);
const NUMBER_OF_SOMETHING = /(?:isbn|issn|doi|arxiv|version|order|invoice|id|no\.?|#)(?:[ -]?1[03])?[ :#]*$/i;
const DATE = /^(?:(?:1[0-9]|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:1[0-9]|20)\d{2})\b/;
const CURRENCY = ['€', '£', '¥', '￥'].map(bytesOf).join('|');
const TOUCHED_BEFORE = new RegExp(`(?:[\\w$.,*/=<>^:~-]|${CURRENCY})$`);
const TOUCHED_AFTER = new RegExp(`^(?:[\\w$*/=<>^~%+]|[-.,:]\\d|${CURRENCY}|${['元', '美元', '万', '亿'].map(bytesOf).join('|')})`);

function findPhones(text: string): Found[] {
  const found: Found[] = [];
  RUN.lastIndex = 0;
  for (let run = RUN.exec(text); run !== null; run = RUN.exec(text)) {
    let from = run.index;
    const end = from + run[0].length;
    for (let length = 0; from < end; from += length) {
      length = phoneAt(text, from, end);
      if (length > 0) found.push({ from, to: from + length, as: PHONE });
      else length = nextNumber(text, from, end);
    }
  }
  return found;
}

/** Bytes to the next number within a run: where a space or bracket parts them. */
function nextNumber(text: string, from: number, end: number): number {
  let at = from + 1;
  while (at < end && !(/[ (/]/.test(text[at - 1]) && /[\d+(]/.test(text[at]))) at++;
  return at - from;
}

/** Length of the phone number that begins at `from`; 0 = there is none. */
function phoneAt(text: string, from: number, end: number): number {
  const run = text.slice(from, end);
  const before = text.slice(Math.max(0, from - 40), from);
  const announced = AFTER_WORD.test(before);
  if (!announced && (TOUCHED_BEFORE.test(before) || NUMBER_OF_SOMETHING.test(before))) return 0;
  const candidates = [international(run), ...NATIONAL.map((pattern) => pattern.exec(run)?.[0].length ?? 0)];
  if (announced && !DATE.test(run)) candidates.push(anyNumber(run));
  for (const length of candidates) if (length > 0 && !TOUCHED_AFTER.test(text.slice(from + length, from + length + 6))) return length;
  return 0;
}

function international(run: string): number {
  const number = INTERNATIONAL.exec(run)?.[0] ?? '';
  const digits = countDigits(number);
  return digits >= (/\D/.test(number.slice(1)) ? 8 : 10) && digits <= 15 ? number.length : 0;
}

/** Any number of 7 to 15 digits, as it stands after a word such as "phone". */
function anyNumber(run: string): number {
  const number = /^[\d ().\-/]*\d/.exec(run.replace(/^\+/, '0'))?.[0] ?? '';
  const digits = countDigits(number);
  return digits >= 7 && digits <= 15 ? number.length : 0;
}

function countDigits(text: string): number {
  let digits = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x30 && text.charCodeAt(i) <= 0x39) digits++;
  return digits;
}
