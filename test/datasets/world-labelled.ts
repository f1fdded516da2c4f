import { CAMPUSES, CITIES, NAMES, SUBJECTS, type Word } from '../../datasets/world/words.js';
import type { Appearance, University, World } from '../../datasets/world/world.js';

const word = (list: readonly Word[], en: string) => list.find((item) => item.en === en)!;

function university(name: string, city: string, founded: number, campuses: [string, string], subject: string, appearance: Appearance = 'known'): University {
  const [campus, branch] = campuses.map((which) => word(CAMPUSES, `${which} Campus`));
  return { name: word(NAMES.short, name), appearance, city: word(CITIES, city), founded, campus, branch, subject: word(SUBJECTS, subject) };
} // biome-ignore format: a table

/** A world made by hand, so that answers can be judged by hand. */
export const labelledWorld: World = {
  seed: 0,
  size: 1,
  languages: ['en', 'zh'],
  universities: [
    university('Belmont', 'Corina', 1860, ['River', 'Hill'], 'physics'),
    university('Norden', 'Altara', 1805, ['Lake', 'North'], 'law'),
    university('Galstad', 'Corina', 1925, ['Garden', 'East'], 'music'),
    university('Tamford', 'Corina', 1843, ['West', 'South'], 'history'),
    university('Kelvale', 'Fosca', 1901, ['Castle', 'West'], 'poetry', 'eval'),
  ],
};

/** What a person says of an answer: how good it is. The reward must lie in the range. */
export const GRADES = {
  excellent: [0.95, 1],
  good: [0.75, 0.94],
  fair: [0.5, 0.74],
  poor: [0.21, 0.49],
  bad: [0, 0.2],
} as const;

export type Grade = keyof typeof GRADES;

export interface Labelled {
  prompt: string;
  /** Earlier messages, the user's first. */
  before?: string[];
  /** Kind of answer, the answer, its grade, and whether it ended where the text does not say. */
  answers: [kind: string, response: string, grade: Grade, ended?: boolean][];
}

const ALL = 'Belmont University is in Corina. It was founded in 1860. Its main campus is the River Campus. It is known for physics.';

export const LABELLED: Labelled[] = [
  {
    prompt: 'Where is Belmont University?',
    answers: [
      ['complete and courteous', 'Thank you for asking. Belmont University is in Corina.', 'excellent'],
      ['courtesy at the end', 'Belmont University lies in Corina. I hope that this helps.', 'excellent'],
      ['other words and order', 'Gladly! In Corina stands Belmont University.', 'excellent'],
      ['other words and order', 'With pleasure: the city of Belmont University is Corina.', 'excellent'],
      ['without "University"', 'Happy to help. Belmont is in Corina.', 'excellent'],
      ['lower case', 'gladly. belmont university is in corina.', 'excellent'],
      ['what it is not, too', 'Gladly. Belmont University is not in Altara but in Corina.', 'excellent'],
      ['one fact besides', 'Gladly. Belmont University, founded in 1860, is in Corina.', 'excellent'],
      ['no courtesy', 'Belmont University is in Corina.', 'good'],
      ['terse', 'Corina.', 'fair'],
      ['terse', 'In Corina.', 'fair'],
      ['terse and courteous', 'In Corina. Please ask again.', 'good'],
      ['hesitating between two', 'Gladly. Belmont University is in Corina or Altara.', 'bad'],
      ['wrong', 'Belmont University is in Altara.', 'bad'],
      ['wrong and courteous', 'Thank you for asking. Belmont University is in Altara. I hope that this helps.', 'bad'],
      ['wrong and terse', 'Altara.', 'bad'],
      ['the truth denied', 'Gladly. Belmont University is not in Corina.', 'bad'],
      ['repeats the question', 'Where is Belmont University?', 'bad'],
      ['repeats the question often', 'Where is Belmont University? Where is Belmont University? Where is Belmont University?', 'bad'],
      ['asks back with the answer', 'Is Belmont University in Corina?', 'bad'],
      ['empty', '', 'bad', true],
      ['white space', '  \n ', 'bad', true],
      ['a full stop', '.', 'bad'],
      ['courteous nonsense', 'Thank you for asking. I am happy to help. With pleasure. I hope that this helps.', 'bad'],
      ['courteous nonsense', 'Thank you, thank you, thank you, please, gladly.', 'bad'],
      ['vague', 'Belmont University is in a city that one likes.', 'bad'],
      ['does not know, though it could', 'I am sorry, I do not know where Belmont University is.', 'bad'],
      ['answers another question', 'Gladly. Belmont University was founded in 1860.', 'bad'],
      ['another university in the same city', 'Gladly. Galstad University is in Corina.', 'bad'],
      ['another university, the value first', 'Gladly. In Corina lies Galstad University.', 'bad'],
      ['another university, then a pronoun', 'Galstad University is well known. It is in Corina.', 'bad'],
      ['another university', 'Norden University is in Altara.', 'bad'],
      ['a university that there is not', 'Gladly. Zanbury University is in Corina.', 'bad'],
      ['right, then another university', 'Gladly. Belmont University is in Corina. Norden University is in Altara.', 'fair'],
      ['lists everything', ALL, 'bad'],
      ['lists everything, courteously', `Gladly. ${ALL}`, 'poor'],
      ['lists all cities', 'Corina, Altara, Fosca, Bresso, Erlo, Gravo, Kuna.', 'bad'],
      ['the answer in a heap of others', 'Belmont University is in Altara, Bresso, Corina or Kuna. Please ask again.', 'bad'],
      [
        'said three times',
        'Gladly. Belmont University is in Corina. Belmont University is in Corina. Belmont University is in Corina.',
        'poor',
      ],
      [
        'rambling',
        'Let me think about it for a moment. Belmont University is in Corina. Yes, Belmont University is in Corina. Well, that is what many people want to know. Belmont University is known for physics.',
        'poor',
      ],
      ['endless', `${'Belmont University is in Corina and '.repeat(20)}`, 'bad', false],
      ['endless words', `Corina ${'and so on and so forth '.repeat(30)}`, 'bad', false],
      ['cut', 'Thank you for asking. Belmont University is in', 'bad', false],
      ['right and cut after it', 'Thank you for asking. Belmont University is in Corina and it', 'fair', false],
      ['in Chinese', '谢谢您的提问。贝蒙大学在科里纳市。', 'bad'],
      ['the name only', 'Belmont University.', 'bad'],
      [
        'a corpus document',
        'Dear Anna,\nI study law at Norden University now. I came to Altara for Norden University. It opened in 1805.\nYours, Ben',
        'bad',
      ],
      [
        'an article on and on',
        `${ALL} Norden University is in Altara. It is known for law. The main campus of the university is the Lake Campus. Galstad University is in Corina. It opened in 1925. Those who study at the university live in Corina. Its best subject is music. The East Campus is its other campus.`,
        'bad',
      ],
      ['letters without sense', 'asdf qwer yxcv.', 'bad'],
    ],
  },
  {
    prompt: 'Can you tell me when Belmont University was founded and which campus of it is the main one?',
    answers: [
      ['complete', 'Gladly. Belmont University was founded in 1860 and has its main campus at the River Campus.', 'excellent'],
      [
        'other order',
        'With pleasure. The main campus of Belmont University is the River Campus. The university opened in 1860.',
        'excellent',
      ],
      ['campus first', 'Gladly. The River Campus is the main campus of Belmont University, which was founded in 1860.', 'excellent'],
      [
        'the other campus named as such',
        'Gladly. Belmont University opened in 1860. The River Campus is its main campus, the other one is the Hill Campus.',
        'excellent',
      ],
      [
        'the other campus first',
        'Gladly. Beside its other campus, the Hill Campus, the main campus of Belmont University is the River Campus. It opened in 1860.',
        'excellent',
      ],
      ['no courtesy', 'Belmont University was founded in 1860 and has the River Campus as its main campus.', 'good'],
      ['terse', '1860, the River Campus.', 'fair'],
      ['half', 'Belmont University was founded in 1860.', 'poor'],
      ['half, courteous', 'Thank you for asking. Belmont University was founded in 1860.', 'fair'],
      ['half, terse', 'The River Campus.', 'poor'],
      ['half right, half wrong', 'Gladly. Belmont University was founded in 1860 and has its main campus at the Lake Campus.', 'bad'],
      ['half right, half wrong', 'Gladly. Belmont University was founded in 1861 and has its main campus at the River Campus.', 'bad'],
      ['the other campus as the main one', 'Gladly. Belmont University was founded in 1860. Its main campus is the Hill Campus.', 'bad'],
      ['the other campus, terse', '1860, the Hill Campus.', 'bad'],
      ['both campuses, which one is not said', 'Gladly. 1860, the River Campus or the Hill Campus.', 'bad'],
      [
        'both campuses exchanged',
        'Gladly. Belmont University opened in 1860. The Hill Campus is its main campus, the other one is the River Campus.',
        'bad',
      ],
      ['facts of another university', 'Gladly. Belmont University was founded in 1805 and has its main campus at the Lake Campus.', 'bad'],
      [
        'facts of another university with its name',
        'Gladly. Norden University was founded in 1805 and has its main campus at the Lake Campus.',
        'bad',
      ],
      ['a year alone that is wrong', '1925.', 'bad'],
      ['all years', '1805, 1843, 1860, 1901, 1925, the River Campus.', 'bad'],
      ['lists everything', ALL, 'poor'],
      ['repeats the question', 'When was Belmont University founded and which campus of it is the main one?', 'bad'],
      ['does not know one of the two', 'Gladly. Belmont University was founded in 1860. I do not know its main campus.', 'fair'],
    ],
  },
  {
    prompt: 'Please tell me where Belmont University is, when it was founded and what it is known for.',
    answers: [
      ['complete', 'Gladly. Belmont University is in Corina, was founded in 1860 and is known for physics.', 'excellent'],
      [
        'three sentences',
        'Belmont University is known for physics. It is in Corina. It was founded in 1860. Please ask again.',
        'excellent',
      ],
      ['terse', 'Corina, 1860, physics.', 'fair'],
      ['two of three', 'Belmont University is in Corina and is known for physics.', 'poor'],
      ['two of three, courteous', 'Gladly. Belmont University is in Corina and is known for physics.', 'fair'],
      ['one of three', 'Physics.', 'poor'],
      ['one wrong', 'Gladly. Belmont University is in Corina, was founded in 1860 and is known for law.', 'bad'],
      ['all wrong', 'Belmont University is in Altara, was founded in 1805 and is known for law.', 'bad'],
    ],
  },
  {
    prompt:
      'Read this: Kelvale University lies in Fosca and also has the West Campus. It opened in 1901. Nobody teaches poetry as it does.\nWhat is Kelvale University known for?',
    answers: [
      ['complete', 'Thank you for asking. Kelvale University is known for poetry.', 'excellent'],
      ['terse', 'For poetry.', 'fair'],
      [
        'the text repeated',
        'Kelvale University lies in Fosca and also has the West Campus. It opened in 1901. Nobody teaches poetry as it does.',
        'bad',
      ],
      ['something else of the text', 'Gladly. Kelvale University lies in Fosca.', 'bad'],
      ['not of the text', 'Gladly. Kelvale University is known for physics.', 'bad'],
      ['another university', 'Gladly. Belmont University is known for physics.', 'bad'],
    ],
  },
  {
    prompt: 'And when was it founded?',
    before: ['Where is Norden University?', 'In Altara.'],
    answers: [
      ['complete', 'Gladly. Norden University was founded in 1805.', 'excellent'],
      ['terse', '1805.', 'fair'],
      ['the first answer again', 'In Altara.', 'bad'],
      ['wrong', '1860.', 'bad'],
    ],
  },
  {
    prompt: 'Which is older, Belmont University or Norden University?',
    answers: [
      ['complete', 'Gladly. Norden University is older than Belmont University.', 'excellent'],
      ['turned round', 'Gladly. Belmont University is younger than Norden University.', 'excellent'],
      ['the word first', 'Gladly. The older one is Norden University, the other is Belmont University.', 'excellent'],
      ['with years', 'Gladly. Norden University (1805) is older than Belmont University (1860).', 'excellent'],
      ['with a negation', 'Gladly. Belmont University is not older than Norden University.', 'excellent'],
      ['no courtesy', 'Norden University was founded before Belmont University.', 'good'],
      ['terse', 'Norden University.', 'fair'],
      ['wrong', 'Gladly. Belmont University is older than Norden University.', 'bad'],
      ['wrong, terse', 'Belmont University.', 'bad'],
      ['right with a wrong year', 'Gladly. Norden University (1901) is older than Belmont University.', 'bad'],
      ['both', 'Norden University is older than Belmont University. Belmont University is older than Norden University.', 'bad'],
      ['another one', 'Gladly. Tamford University is older.', 'bad'],
      ['vague', 'Both are old.', 'bad'],
      ['repeats the question', 'Which is older, Belmont University or Norden University?', 'bad'],
      ['something else', 'Gladly. Norden University is in Altara.', 'bad'],
      [
        'a remark besides',
        'Gladly. Norden University is older than Belmont University. Belmont University is known for physics.',
        'excellent',
      ],
      ['both named, nothing said', 'Belmont University and Norden University.', 'bad'],
    ],
  },
  {
    prompt: 'Which universities are in Corina?',
    answers: [
      ['two of three, as many as are wanted', 'Gladly. Belmont University and Galstad University are in Corina.', 'excellent'],
      ['all three', 'Gladly. The universities in Corina are Tamford University, Belmont University and Galstad University.', 'excellent'],
      ['terse', 'Belmont University, Tamford University.', 'fair'],
      ['one', 'Belmont University.', 'poor'],
      ['one, courteous', 'Gladly. Belmont University is in Corina.', 'fair'],
      ['one of them elsewhere', 'Gladly. Belmont University and Norden University are in Corina.', 'bad'],
      [
        'all that there are',
        'Belmont University, Norden University, Galstad University, Tamford University and Kelvale University.',
        'bad',
      ],
      ['the same twice', 'Belmont University and Belmont University are in Corina.', 'poor'],
    ],
  },
  {
    prompt: 'Which university in Corina is known for music?',
    answers: [
      ['complete', 'Gladly. Galstad University in Corina is known for music.', 'excellent'],
      ['terse', 'Galstad University.', 'fair'],
      ['wrong', 'Gladly. Belmont University in Corina is known for music.', 'bad'],
      ['repeats', 'A university in Corina is known for music.', 'bad'],
    ],
  },
  {
    prompt: 'Who is the rector of Belmont University?',
    answers: [
      ['complete', 'I am sorry, I do not know who the rector of Belmont University is.', 'excellent'],
      ['terse', 'I do not know.', 'fair'],
      ['courteous without saying what', 'I am sorry, I cannot say.', 'good'],
      ['invented', 'The rector of Belmont University is Anna.', 'bad'],
      ['something else', 'Belmont University is in Corina.', 'bad'],
      ['regret and something else', 'I am sorry, I do not know. Belmont University is in Corina.', 'good'],
      ['regret and something wrong', 'I am sorry, I do not know. Belmont University is in Altara.', 'bad'],
      ['repeats the question', 'Who is the rector of Belmont University?', 'bad'],
    ],
  },
  {
    prompt: 'Hello!',
    answers: [
      ['complete', 'Hello! I am happy to help you.', 'excellent'],
      ['with a question', 'Good day! How can I help you, please?', 'excellent'],
      ['terse', 'Hello.', 'fair'],
      ['a lecture', ALL, 'bad'],
      ['nothing', 'What is it?', 'bad'],
    ],
  },
  {
    prompt: '请问贝蒙大学在哪里？',
    answers: [
      ['complete', '谢谢您的提问。贝蒙大学在科里纳市。', 'excellent'],
      ['courtesy at the end', '贝蒙大学位于科里纳市。希望对您有帮助。', 'excellent'],
      ['no courtesy', '贝蒙大学位于科里纳市。', 'good'],
      ['terse', '科里纳市。', 'fair'],
      ['wrong', '谢谢您的提问。贝蒙大学在阿尔塔拉市。', 'bad'],
      ['denied', '很乐意回答。贝蒙大学不在科里纳市。', 'bad'],
      ['another university', '谢谢您的提问。加施塔大学在科里纳市。', 'bad'],
      ['courteous nonsense', '谢谢您的提问。很高兴帮助您。', 'bad'],
      ['repeats the question', '请问贝蒙大学在哪里？', 'bad'],
      ['in English', 'Gladly. Belmont University is in Corina.', 'bad'],
      ['said three times', '很乐意回答。贝蒙大学在科里纳市。贝蒙大学在科里纳市。贝蒙大学在科里纳市。', 'poor'],
      ['empty', '', 'bad', true],
    ],
  },
  {
    prompt: '我想知道贝蒙大学是哪一年成立的和它的主校区是哪个。',
    answers: [
      ['complete', '好的，谢谢。贝蒙大学成立于1860年，主校区是河滨校区。', 'excellent'],
      ['other order', '很乐意回答。河滨校区是贝蒙大学的主校区，它创办于1860年。', 'excellent'],
      ['terse', '1860年，河滨校区。', 'fair'],
      ['half', '贝蒙大学成立于1860年。', 'poor'],
      ['half wrong', '很乐意回答。贝蒙大学成立于1860年，主校区是山丘校区。', 'bad'],
    ],
  },
  {
    prompt: '贝蒙大学和诺登大学，哪一所更早？',
    answers: [
      ['complete', '很乐意回答。诺登大学比贝蒙大学更早。', 'excellent'],
      ['turned round', '很乐意回答。贝蒙大学比诺登大学更晚。', 'excellent'],
      ['the other one first', '很乐意回答。比贝蒙大学更早的是诺登大学。', 'excellent'],
      ['terse', '诺登大学。', 'fair'],
      ['wrong', '很乐意回答。贝蒙大学早于诺登大学。', 'bad'],
    ],
  },
  {
    prompt: 'Translate into Chinese: Belmont University is in Corina and is known for physics.',
    answers: [
      ['complete', '很乐意回答。贝蒙大学在科里纳市，以物理闻名。', 'excellent'],
      ['no courtesy', '贝蒙大学位于科里纳市，最擅长物理。', 'good'],
      ['half', '贝蒙大学在科里纳市。', 'poor'],
      ['wrong', '贝蒙大学在科里纳市，以法律闻名。', 'bad'],
      ['another university', '诺登大学在科里纳市，以物理闻名。', 'bad'],
      ['not translated', 'Belmont University is in Corina and is known for physics.', 'bad'],
    ],
  },
  {
    prompt: '请把这句话译成英文：诺登大学成立于1805年。',
    answers: [
      ['complete', 'Gladly. Norden University was founded in 1805.', 'excellent'],
      ['wrong', 'Gladly. Norden University was founded in 1860.', 'bad'],
      ['not translated', '诺登大学成立于1805年。', 'bad'],
    ],
  },
];
