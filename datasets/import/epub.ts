import fs from 'node:fs/promises';
import path from 'node:path/posix';
import { unzipSync } from 'fflate';
import { Parser } from 'htmlparser2';
import { Unreadable } from './bytes.js';
import { type Found, MAX_DOCUMENT_BYTES } from './found.js';
import { htmlToText } from './html.js';

/** An EPUB may be larger than its text by its pictures; it is read whole. */
const MAX_FILE_BYTES = 512 << 20;
const CONTAINER = 'META-INF/container.xml';
const ENCRYPTION = 'META-INF/encryption.xml';

/**
 * An EPUB is a document: the chapters of its spine in their order, as text. Its contents and pictures are left out.
 * Source: EPUB 3.3 (W3C), sections 4.2.6.3.1 (container.xml) and 5.7 (spine).
 */
export async function* readEpub(file: string, found: Found): AsyncGenerator<void> {
  const { size } = await fs.stat(file);
  if (size > MAX_FILE_BYTES) throw new Unreadable('too large', `an EPUB may have ${MAX_FILE_BYTES} bytes; it has ${size}`);
  const zip = await fs.readFile(file);
  const container = parseXml(unpack(zip, [CONTAINER, ENCRYPTION]).get(CONTAINER), CONTAINER);
  const packagePath = container.find(({ name }) => name === 'rootfile')?.attributes['full-path'];
  if (packagePath === undefined) throw new Unreadable('damaged', `${CONTAINER} names no package document`);
  const contents = parseXml(unpack(zip, [packagePath]).get(packagePath), packagePath);
  const items = new Map(contents.filter(({ name }) => name === 'item').map(({ attributes }) => [attributes['id'], attributes]));
  const chapters = contents
    .filter(({ name }) => name === 'itemref')
    .map(({ attributes }) => items.get(attributes['idref']))
    .filter((item) => item !== undefined && /html/.test(item['media-type'] ?? 'html') && !/\bnav\b/.test(item['properties'] ?? ''))
    .map((item) => path.join(path.dirname(packagePath), decodeAddress(item!['href'] ?? '')));
  if (chapters.length === 0) throw new Unreadable('damaged', `${packagePath} has a spine without chapters`);
  const files = unpack(zip, [...chapters, ENCRYPTION]);
  const encrypted = files.get(ENCRYPTION)?.toString('utf8') ?? '';
  if (chapters.some((chapter) => encrypted.includes(`"${chapter}"`) || encrypted.includes(`"${encodeURI(chapter)}"`))) {
    throw new Unreadable('encrypted', 'the chapters of the book are encrypted (DRM)');
  }
  const texts: string[] = [];
  for (const chapter of new Set(chapters)) {
    const html = files.get(chapter);
    if (html === undefined) found.reject({}, 'damaged', `the chapter ${chapter} is not in the file`);
    else texts.push(htmlToText(decodeXml(html, chapter)));
    yield;
  }
  found.addText(texts.filter((text) => text !== '').join('\n\n'), {});
  yield;
}

function decodeAddress(href: string): string {
  try {
    return decodeURIComponent(href);
  } catch {
    return href;
  }
}

/** Some files of a zip file. What says that it is larger than a document may be is not unpacked, and nothing unpacks to more than it says. */
function unpack(zip: Buffer, names: readonly string[]): Map<string, Buffer> {
  let left = MAX_DOCUMENT_BYTES;
  try {
    const files = unzipSync(zip, {
      filter: ({ name, originalSize }) => {
        if (!names.includes(name)) return false;
        left -= originalSize;
        if (left < 0) throw new Unreadable('too large', `its chapters have more than ${MAX_DOCUMENT_BYTES.toLocaleString('en')} bytes`);
        return true;
      },
    });
    return new Map(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)]));
  } catch (cause) {
    if (cause instanceof Unreadable) throw cause;
    throw new Unreadable('damaged', `the EPUB is cut off or damaged (${cause instanceof Error ? cause.message : cause})`, { cause });
  }
}

interface Element {
  name: string;
  attributes: Record<string, string>;
}

/** The elements of XML in their order, by their names without namespace. */
function parseXml(bytes: Buffer | undefined, name: string): Element[] {
  if (bytes === undefined) throw new Unreadable('damaged', `there is no ${name} in it, so it is no EPUB`);
  const elements: Element[] = [];
  const parser = new Parser(
    { onopentag: (tag, attributes) => elements.push({ name: tag.replace(/^.*:/, ''), attributes }) },
    { xmlMode: true },
  );
  parser.end(decodeXml(bytes, name));
  return elements;
}

/** XML is UTF-8, or UTF-16 with a byte order mark; it may name another encoding. */
function decodeXml(bytes: Buffer, name: string): string {
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
  const encoding = wide ?? /^<\?xml[^>]*encoding=["']([\w-]+)/.exec(bytes.toString('latin1', 0, 200))?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Unreadable('not the right encoding', `${name} is not ${encoding}, as it says`, { cause });
  }
}
