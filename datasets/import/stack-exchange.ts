import { isUtf8 } from 'node:buffer';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { OpenText } from './bytes.js';
import type { Found, Place } from './found.js';
import { htmlToText } from './html.js';
import { questionDocument } from './qa.js';
import { eachLine } from './rows.js';

/** A question or an answer, as it waits in a partition to be joined. */
interface Post {
  /** Id of the question that it is or answers. */
  question: number;
  /** Id of an answer; absent for a question. */
  answer?: number;
  accepted?: number;
  score: number;
  text: string;
  line: number;
}

/** Bytes of a dump to a partition, which is joined in memory. */
const PARTITION_BYTES = 64 << 20;
const MAX_PARTITIONS = 512;
const FLUSH_CHARACTERS = 1 << 16;
const QUESTION = '1';
const ANSWER = '2';

/**
 * Documents from Posts.xml of a Stack Exchange dump: a question (title and body), its accepted answer, the others by score, as text.
 * Answers stand anywhere in the file, so posts are first spilled to partitions by the id of their question, which are joined one by one: the memory needed
 * is that of a partition. Documents come partition by partition, by the id of the question within.
 * @param size of the dump in bytes.
 * @param scratch folder for the partitions; it is there already, and is the caller's to remove.
 */
export async function* readStackExchange(text: OpenText, found: Found, size: number, scratch: string): AsyncGenerator<void> {
  const count = Math.min(MAX_PARTITIONS, Math.ceil(size / PARTITION_BYTES) || 1);
  const files = Array.from({ length: count }, (_, i) => path.join(scratch, `${i}.jsonl`));
  const waiting = files.map(() => '');
  const full = new Set<number>();
  const flush = async (i: number) => {
    await fs.appendFile(files[i], waiting[i]);
    waiting[i] = '';
  };
  const lines = eachLine(text, {
    row: (bytes, start, end, place) => {
      const post = readPost(bytes.subarray(start, end), place, found);
      if (post === undefined) return;
      const i = post.question % count;
      waiting[i] += `${JSON.stringify(post)}\n`;
      if (waiting[i].length >= FLUSH_CHARACTERS) full.add(i);
    },
    tooLarge: (place, bytes, excerpt) => found.tooLarge(place, bytes, excerpt),
  });
  for await (const _ of lines) {
    for (const i of full) await flush(i);
    full.clear();
    yield;
  }
  for (const i of files.keys()) {
    await flush(i);
    yield* join(await fs.readFile(files[i], 'utf8'), found);
    await fs.rm(files[i]);
  }
}

function* join(partition: string, found: Found): Generator<void> {
  const questions = new Map<number, { question?: Post; answers: Post[] }>();
  for (const line of partition.split('\n')) {
    if (line === '') continue;
    const post: Post = JSON.parse(line);
    const entry = questions.get(post.question) ?? { answers: [] };
    questions.set(post.question, entry);
    if (post.answer === undefined) entry.question = post;
    else entry.answers.push(post);
  }
  const ids = [...questions.keys()].sort((a, b) => a - b);
  for (const [i, id] of ids.entries()) {
    const { question, answers } = questions.get(id)!;
    if (question === undefined) for (const _ of answers) found.skip('answers without their question');
    else if (answers.length === 0) found.skip('questions without answers');
    else {
      const ordered = answers.map((post) => ({ text: post.text, score: post.score, accepted: post.answer === question.accepted }));
      found.addText(questionDocument(question.text, ordered), { line: question.line });
    }
    if (i % 256 === 255) yield;
  }
  yield;
}

/** The post of a line `<row Id="…" PostTypeId="…" … />`; undefined where it is none, or a bad one, which is put aside. */
function readPost(line: Buffer, place: Place, found: Found): Post | undefined {
  if (!isUtf8(line)) {
    found.addBytes(line, 0, line.length, place); // which says where
    return undefined;
  }
  const row = line.toString('utf8').trim();
  if (!row.startsWith('<row')) return undefined; // the declaration, or the element around all
  if (!row.endsWith('>')) {
    found.reject(place, 'cut off', 'the file ends within this row', line);
    return undefined;
  }
  const attributes = new Map(Array.from(row.matchAll(/([A-Za-z]\w*)="([^"]*)"/g), ([, name, value]) => [name, value]));
  const type = attributes.get('PostTypeId');
  if (type !== QUESTION && type !== ANSWER) {
    found.skip('posts that are neither question nor answer');
    return undefined;
  }
  const number = (name: string) => Number(attributes.get(name) ?? Number.NaN);
  const id = number('Id');
  const question = type === QUESTION ? id : number('ParentId');
  if (!Number.isSafeInteger(question) || question < 0 || !attributes.has('Body')) {
    found.reject(place, 'no such column', 'a post must have Id, Body and, if an answer, ParentId', line);
    return undefined;
  }
  const body = htmlToText(unescapeXml(attributes.get('Body')!));
  const post = { question, score: number('Score') || 0, line: place.line! };
  if (type === ANSWER) return { ...post, answer: id, text: body };
  const title = unescapeXml(attributes.get('Title') ?? '').trim();
  return {
    ...post,
    accepted: attributes.has('AcceptedAnswerId') ? number('AcceptedAnswerId') : undefined,
    text: title ? `${title}\n\n${body}` : body,
  };
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The value of an XML attribute. */
function unescapeXml(value: string): string {
  return value.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : all;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
