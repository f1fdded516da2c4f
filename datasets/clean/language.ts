import { documentRule, shown } from './rule.js';
import { termHash, type Words } from './words.js';

export type Language = 'en' | 'zh' | 'other';

/** Function words by language; a word may be one of several languages. Those of English come first. */
const FUNCTION_WORDS: Record<string, string> = {
  en: `the of and to a in is it that was he for on are as with his they i at be this have from or had by but not what all were we when your
    can there an which she do their if will each about how up out them then so some her would like him into has look more no who been its
    now than could may you me my our any these those where why because also only other such should shall must upon thy thou hath let`,
  de: `der die das und ist in zu den mit nicht von sie es ein eine einen einem einer auf dem des sich für im auch als an wie er so dass wird
    bei aus sind oder nach um war hat werden nur noch über vor zur zum ich wir aber kann man durch wenn sein ihre`,
  nl: `de het een en van is dat in te op niet zijn met voor die aan er om ook als dan maar bij uit nog wordt door naar heeft worden werd deze
    dit ze hij ik je we kan geen over zo of tot hun`,
  fr: `le la les de des du et est en un une que qui dans pour pas sur au avec il elle ce ne se sont par plus on nous vous ou mais cette aux
    son ses été comme leur sa ont être fait tout je`,
  es: `el la los las de y en que es un una por con para no se del al lo como más pero sus su le ha este esta son entre cuando muy sin sobre
    también fue yo hay todo o`,
  pt: `o a os as de e que do da em um uma para com não por se na no dos das mais como ao foi mas ele ela são também pelo pela seu sua ou
    quando muito já está eu isso`,
  it: `il lo la gli le di e che un una in è per non con del della si da al dei sono come più nel alla anche ma delle ha questo questa io su
    dal essere stato o i`,
  sv: `och att det i en som är på av för med till den har inte om ett han hon var men sig från vi så kan när de vid också eller jag dess`,
  da: `og at det i en er på af for med til den har ikke som om et han hun var men sig fra vi så kan når de ved også eller jeg der blev`,
  pl: `i w na z się nie do to jest że o jak za po co od przez dla są był ale czy tak ich jego jej także oraz który która`,
  cs: `a v na je se že z do to s o jako pro ve za po od by ale jsou byl které který nebo si tak při není`,
  tr: `ve bir bu da de için ile olarak daha çok gibi olan ne ama sonra kadar en o her ben mi değil ya`,
  ro: `și în de la a cu pe nu este un o din că care pentru mai se sunt au fost ce dar sau le prin ca al`,
  hu: `a az és hogy nem is egy van meg de csak ez azt volt el mint már ki még sem vagy lehet`,
  fi: `ja on ei se että oli hän kun niin mutta ovat myös kuin tai joka sen jos mitä ole minä ne`,
  id: `yang dan di itu dengan untuk dari ini pada adalah tidak dalam ke akan oleh juga sebagai atau saya kami ada bisa telah`,
  vi: `và của là có được cho một trong không các người những này với để đã khi từ ở về cũng như đến`,
};

const LANGUAGES = Object.keys(FUNCTION_WORDS);
const SLOTS = 1 << 13;
/** Hashes of the function words, looked for from the slot of their last bits on, and one bit a language that has the word; 0 = free slot. */
const HASHES = new Int32Array(SLOTS);
const MEMBERSHIP = new Int32Array(SLOTS);
LANGUAGES.forEach((language, i) => {
  for (const word of FUNCTION_WORDS[language].split(/\s+/)) {
    const hash = termHash(word);
    const slot = slotOf(hash);
    HASHES[slot] = hash;
    MEMBERSHIP[slot] |= 1 << i;
  }
});

function slotOf(hash: number): number {
  let slot = hash & (SLOTS - 1);
  while (MEMBERSHIP[slot] !== 0 && HASHES[slot] !== hash) slot = (slot + 1) & (SLOTS - 1);
  return slot;
}

/** What a guess goes by. */
export interface LanguageGuess {
  language: Language;
  /** Han characters as a part of the text, a character as two thirds of a word. */
  han: number;
  /** Kana as a part of Han and kana. */
  kana: number;
  /** English function words as a part of the words, and how many of another language there are at most. */
  english: number;
  rival: { language: string; part: number };
}

/**
 * Guesses a language by scripts and function words. Chinese: Han characters are `minHan` of the text, and kana at most a tenth of the Han
 * and kana. English: more Latin letters than others, and function words of English are `minFunctionWords` of the words and no fewer than those
 * of any of 16 other languages. All else is `other`, also what has no words.
 */
export function guessLanguage(words: Words, minHan = 0.3, minFunctionWords = 0.1): LanguageGuess {
  const unspaced = words.han + words.kana;
  const han = words.size === 0 ? 0 : ((2 / 3) * unspaced) / words.size;
  const kana = unspaced === 0 ? 0 : words.kana / unspaced;
  const none = { han, kana, english: 0, rival: { language: '', part: 0 } };
  if (han >= minHan && han > 0) return { language: kana <= 0.1 ? 'zh' : 'other', ...none };
  if (words.latinLetters <= words.otherLetters) return { language: 'other', ...none };
  const counts = new Uint32Array(LANGUAGES.length);
  for (let i = 0; i < words.terms; i++) {
    let languages = MEMBERSHIP[slotOf(words.hash[i])];
    for (; languages !== 0; languages &= languages - 1) counts[31 - Math.clz32(languages & -languages)]++;
  }
  let rival = 1;
  for (let i = 2; i < LANGUAGES.length; i++) if (counts[i] > counts[rival]) rival = i;
  const english = counts[0] / words.terms;
  const language = english >= minFunctionWords && counts[0] >= counts[rival] ? 'en' : 'other';
  return { language, han, kana, english, rival: { language: LANGUAGES[rival], part: counts[rival] / words.terms } };
}

/** Keeps documents by the language they are guessed to be in: `en`, `zh` or `other`. See `guessLanguage`. */
export const language = documentRule({
  name: 'language',
  prose: true,
  about: 'not in a language to keep (en, zh, other)',
  source: 'scripts; function words as in Cavnar and Trenkle 1994, §5',
  parameters: {
    keep: { default: ['en', 'zh'], choices: ['en', 'zh', 'other'], meaning: 'Languages to keep.' },
    min_function_words: { default: 0.1, least: 0, most: 1, meaning: 'English: smallest part of words that are function words.' },
    min_han: { default: 0.3, least: 0, most: 1, meaning: 'Chinese: smallest part of the text in Han characters.' },
  },
  start({ keep, min_function_words, min_han }) {
    return ({ words }) => {
      const guess = guessLanguage(words, min_han, min_function_words);
      return keep.includes(guess.language) ? undefined : `${guess.language}: ${reason(guess, words)}`;
    };
  },
});

function reason({ language, han, kana, english, rival }: LanguageGuess, words: Words): string {
  if (words.terms === 0) return '0 words';
  if (han > 0 && (language === 'zh' || kana > 0.1)) return `${shown(han)} of the text is Han or kana, ${shown(kana)} of that kana`;
  const letters = words.latinLetters + words.otherLetters;
  if (words.latinLetters <= words.otherLetters) return `${words.otherLetters} of ${letters} letters are neither Latin nor Han`;
  return `${shown(english)} of words are English function words, ${shown(rival.part)} ${rival.language}`;
}
