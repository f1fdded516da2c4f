import assert from 'node:assert/strict';
import { guessLanguage, language } from '../../datasets/clean/language.js';
import { Words } from '../../datasets/clean/words.js';
import { applied } from './clean-helpers.js';

const guess = (text: string) => guessLanguage(new Words().scan(Buffer.from(text))).language;

/** Paragraphs written for this test: a morning at a harbour, told in each language. */
const PARAGRAPHS: Record<string, [expected: string, text: string]> = {
  English: [
    'en',
    'The boats came back before sunrise. On the quay an old man was mending a net, and two children asked him whether the sea is ever tired. He laughed and said that it only sleeps when nobody is looking at it.',
  ],
  'English verse': [
    'en',
    'What says the tide unto the silent shore?\nI come, I go, and I am seen no more;\nYet in thy sand my little mark I leave,\nThat thou, when I am gone, mayst not too deeply grieve.',
  ],
  'English sums': [
    'en',
    'Mara sold 12 fish on Monday and twice as many on Tuesday. She paid $7 for ice. How many fish did she sell in all? 12 + 2 * 12 = 36. The answer is 36.',
  ],
  Chinese: ['zh', '天还没亮，渔船就回来了。码头上一位老人正在补网，两个孩子问他大海会不会累。他笑着说，只有没人看着的时候，大海才会睡觉。'],
  'traditional Chinese': [
    'zh',
    '天還沒亮，漁船就回來了。碼頭上一位老人正在補網，兩個孩子問他大海會不會累。他笑著說，只有沒人看著的時候，大海才會睡覺。',
  ],
  'Chinese with English names': [
    'zh',
    '我们用 Python 和 TensorFlow 训练一个小模型，然后把 checkpoint 上传到服务器。如果 loss 不下降，就检查 learning rate 是否太大。',
  ],
  German: [
    'other',
    'Die Boote kamen vor Sonnenaufgang zurück. Am Kai flickte ein alter Mann ein Netz, und zwei Kinder fragten ihn, ob das Meer jemals müde ist. Er lachte und sagte, es schlafe nur, wenn niemand hinsieht.',
  ],
  Dutch: [
    'other',
    'De boten kwamen voor zonsopgang terug. Op de kade was een oude man een net aan het herstellen, en twee kinderen vroegen hem of de zee ooit moe is. Hij lachte en zei dat ze alleen slaapt als niemand kijkt.',
  ],
  French: [
    'other',
    'Les bateaux sont rentrés avant le lever du soleil. Sur le quai, un vieil homme réparait un filet, et deux enfants lui ont demandé si la mer est parfois fatiguée. Il a ri et a dit qu’elle ne dort que lorsque personne ne la regarde.',
  ],
  Spanish: [
    'other',
    'Los barcos volvieron antes del amanecer. En el muelle un anciano remendaba una red y dos niños le preguntaron si el mar se cansa alguna vez. Él se rió y dijo que solo duerme cuando nadie lo mira.',
  ],
  Portuguese: [
    'other',
    'Os barcos voltaram antes do amanhecer. No cais um velho remendava uma rede e duas crianças perguntaram se o mar alguma vez se cansa. Ele riu e disse que o mar só dorme quando ninguém olha para ele.',
  ],
  Italian: [
    'other',
    'Le barche tornarono prima dell’alba. Sul molo un vecchio riparava una rete e due bambini gli chiesero se il mare è mai stanco. Lui rise e disse che dorme solo quando nessuno lo guarda.',
  ],
  Swedish: [
    'other',
    'Båtarna kom tillbaka före soluppgången. På kajen lagade en gammal man ett nät, och två barn frågade honom om havet någonsin är trött. Han skrattade och sa att det bara sover när ingen ser på.',
  ],
  Danish: [
    'other',
    'Bådene kom tilbage før solopgang. På kajen lappede en gammel mand et net, og to børn spurgte ham, om havet nogensinde er træt. Han lo og sagde, at det kun sover, når ingen ser på det.',
  ],
  Polish: [
    'other',
    'Łodzie wróciły przed wschodem słońca. Na nabrzeżu stary człowiek naprawiał sieć, a dwoje dzieci zapytało go, czy morze jest kiedyś zmęczone. Zaśmiał się i powiedział, że śpi tylko wtedy, gdy nikt nie patrzy.',
  ],
  Czech: [
    'other',
    'Lodě se vrátily před východem slunce. Na nábřeží opravoval starý muž síť a dvě děti se ho zeptaly, jestli je moře někdy unavené. Zasmál se a řekl, že spí jen tehdy, když se nikdo nedívá.',
  ],
  Turkish: [
    'other',
    'Tekneler gün doğmadan döndü. Rıhtımda yaşlı bir adam ağ onarıyordu ve iki çocuk ona denizin hiç yorulup yorulmadığını sordu. Adam güldü ve denizin sadece kimse bakmadığında uyuduğunu söyledi.',
  ],
  Romanian: [
    'other',
    'Bărcile s-au întors înainte de răsărit. Pe chei un bătrân repara o plasă, iar doi copii l-au întrebat dacă marea obosește vreodată. El a râs și a spus că doarme numai când nu o privește nimeni.',
  ],
  Hungarian: [
    'other',
    'A hajók napkelte előtt visszatértek. A rakparton egy öregember hálót javított, és két gyerek megkérdezte tőle, hogy a tenger elfárad-e valaha. Nevetett, és azt mondta, hogy csak akkor alszik, ha senki sem nézi.',
  ],
  Finnish: [
    'other',
    'Veneet palasivat ennen auringonnousua. Laiturilla vanha mies korjasi verkkoa, ja kaksi lasta kysyi häneltä, väsyykö meri koskaan. Hän nauroi ja sanoi, että se nukkuu vain silloin, kun kukaan ei katso.',
  ],
  Indonesian: [
    'other',
    'Perahu-perahu itu kembali sebelum matahari terbit. Di dermaga seorang lelaki tua sedang memperbaiki jala, dan dua anak bertanya kepadanya apakah laut pernah lelah. Ia tertawa dan berkata bahwa laut hanya tidur ketika tidak ada yang melihat.',
  ],
  Vietnamese: [
    'other',
    'Những chiếc thuyền trở về trước khi mặt trời mọc. Trên bến một ông già đang vá lưới, và hai đứa trẻ hỏi ông biển có bao giờ mệt không. Ông cười và nói rằng biển chỉ ngủ khi không có ai nhìn.',
  ],
  Latin: [
    'other',
    'Naves ante solis ortum redierunt. In ripa senex rete reficiebat, et duo pueri eum rogaverunt num mare umquam fessum esset. Ille risit dixitque id tum solum dormire cum nemo aspiceret.',
  ],
  Estonian: [
    'other',
    'Paadid tulid tagasi enne päikesetõusu. Kail parandas vana mees võrku ja kaks last küsisid temalt, kas meri on kunagi väsinud. Ta naeris ja ütles, et see magab ainult siis, kui keegi ei vaata.',
  ],
  Swahili: [
    'other',
    'Mashua zilirudi kabla ya jua kuchomoza. Bandarini mzee mmoja alikuwa akitengeneza wavu, na watoto wawili wakamwuliza kama bahari huchoka. Alicheka na kusema kwamba hulala tu wakati hakuna mtu anayeitazama.',
  ],
  Russian: [
    'other',
    'Лодки вернулись до рассвета. На причале старик чинил сеть, и двое детей спросили его, устаёт ли море когда-нибудь. Он засмеялся и сказал, что оно спит, только когда на него никто не смотрит.',
  ],
  Ukrainian: [
    'other',
    'Човни повернулися до світанку. На причалі старий лагодив сітку, і двоє дітей запитали його, чи море колись втомлюється. Він засміявся і сказав, що воно спить, лише коли ніхто не дивиться.',
  ],
  Greek: [
    'other',
    'Οι βάρκες γύρισαν πριν από την ανατολή. Στην προβλήτα ένας γέρος μπάλωνε ένα δίχτυ και δύο παιδιά τον ρώτησαν αν η θάλασσα κουράζεται ποτέ. Γέλασε και είπε ότι κοιμάται μόνο όταν δεν την κοιτάζει κανείς.',
  ],
  Arabic: [
    'other',
    'عادت القوارب قبل شروق الشمس. على الرصيف كان رجل عجوز يصلح شبكة، فسأله طفلان هل يتعب البحر أبدا. ضحك وقال إنه ينام فقط حين لا ينظر إليه أحد.',
  ],
  Hebrew: [
    'other',
    'הסירות חזרו לפני הזריחה. על הרציף תיקן זקן רשת, ושני ילדים שאלו אותו אם הים מתעייף אי פעם. הוא צחק ואמר שהוא ישן רק כשאיש אינו מביט בו.',
  ],
  Hindi: [
    'other',
    'नावें सूरज उगने से पहले लौट आईं। घाट पर एक बूढ़ा आदमी जाल ठीक कर रहा था, और दो बच्चों ने उससे पूछा कि क्या समुद्र कभी थकता है। वह हँसा और बोला कि वह तभी सोता है जब कोई नहीं देखता।',
  ],
  Thai: [
    'other',
    'เรือกลับมาก่อนพระอาทิตย์ขึ้น ที่ท่าเรือชายชราคนหนึ่งกำลังซ่อมแห และเด็กสองคนถามเขาว่าทะเลเคยเหนื่อยไหม เขาหัวเราะแล้วบอกว่าทะเลจะหลับก็ต่อเมื่อไม่มีใครมอง',
  ],
  Japanese: [
    'other',
    '夜が明ける前に船が戻ってきた。波止場では老人が網を繕っていて、二人の子供が海は疲れることがあるのかと尋ねた。老人は笑って、誰も見ていないときだけ眠るのだと言った。',
  ],
  Korean: [
    'other',
    '해가 뜨기 전에 배들이 돌아왔다. 부두에서 한 노인이 그물을 고치고 있었고, 두 아이가 바다도 지치느냐고 물었다. 노인은 웃으며 아무도 보지 않을 때만 잠을 잔다고 말했다.',
  ],
  code: [
    'other',
    'const boats = harbour.filter(b => b.returned).map(({ id, net }) => net.holes > 0 ? repair(id) : id);\nif (!boats.length) throw new Error(`none`);\nexport default boats;',
  ],
  numbers: ['other', '12 34 56.7 89\n1.5 2.5 3.5'],
  nothing: ['other', ''],
};

describe('guessing a language', () => {
  for (const [name, [expected, text]] of Object.entries(PARAGRAPHS)) {
    it(`${name}: ${expected}`, () => assert.equal(guess(text), expected));
  }

  it('each sentence of the English and Chinese paragraphs by itself', () => {
    for (const name of ['English', 'Chinese', 'traditional Chinese']) {
      const [expected, text] = PARAGRAPHS[name];
      for (const sentence of text.split(/(?<=[.。])\s*/).filter((part) => part !== '')) assert.equal(guess(sentence), expected, sentence);
    }
  });

  it('English is English in capitals', () => assert.equal(guess(PARAGRAPHS.English[1].toUpperCase()), 'en'));
});

describe('the language rule', () => {
  it('keeps English and Chinese unless told otherwise, and gives its reason in numbers', () => {
    assert.equal(applied(language, PARAGRAPHS.English[1]), undefined);
    assert.equal(applied(language, PARAGRAPHS.Chinese[1]), undefined);
    assert.match(String(applied(language, PARAGRAPHS.German[1])), /^other: 0[.\d]* of words are English function words, 0\.\d+ de$/);
    assert.match(String(applied(language, PARAGRAPHS.Japanese[1])), /^other: 1 of the text is Han or kana, 0\.\d+ of that kana$/);
    assert.match(String(applied(language, PARAGRAPHS.Russian[1])), /^other: (\d+) of \1 letters are neither Latin nor Han$/);
    assert.equal(applied(language, ''), 'other: 0 words');
  });

  it('keeps what it is told to keep', () => {
    assert.equal(applied(language, PARAGRAPHS.German[1], { keep: ['other'] }), undefined);
    assert.match(String(applied(language, PARAGRAPHS.Chinese[1], { keep: ['en'] })), /^zh: 1 of the text is Han/);
  });

  it('a tenth of function words is enough, less is not', () => {
    const text = (n: number) => `${'harbour '.repeat(10 * n - 1 - n)}${'the '.repeat(n)}`;
    assert.equal(guess(`${text(3)}boat`), 'en'); // 3 of 30
    assert.equal(guess(`${text(3)}boat boat`), 'other'); // 3 of 31
  });

  it('0.3 of Han is enough, less is not', () => {
    assert.equal(guess(`${'模'.repeat(9)}${' boat'.repeat(14)}`), 'zh'); // 6 / 20
    assert.equal(guess(`${'模'.repeat(9)}${' boat'.repeat(15)}`), 'other'); // 6 / 21
  });
});
