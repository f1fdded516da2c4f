/** A word in the languages of the world. */
export interface Word {
  en: string;
  zh: string;
}

export type Language = keyof Word;

export const LANGUAGES: readonly Language[] = ['en', 'zh'];

/** `English=Chinese English=Chinese …`; an underscore is a space. */
function words(list: string): Word[] {
  return list
    .trim()
    .split(/\s+/)
    .map((pair) => {
      const [en, zh] = pair.split('=');
      return { en: en.replaceAll('_', ' '), zh };
    });
}

// Names of universities are made of two or three of these, so that a model that knows the parts can say and translate names it has never seen.
const FIRST = words(
  'Al=阿 Bel=贝 Cor=科 Dan=丹 El=埃 Fen=芬 Gal=加 Hal=哈 Is=伊 Jor=乔 Kel=凯 Lor=洛 Mar=玛 Nor=诺 Or=奥 Pel=佩 Quin=昆 Ros=罗 Sel=塞 Tam=塔 Ul=乌 Ver=维 Wil=威 Zan=赞',
);
const MIDDLE = words('a=娅 e=莱 in=宁 o=沃');
const LAST = words('den=登 mont=蒙 wick=威克 stad=施塔 ford=福 bury=伯里 holm=霍姆 vale=瓦尔 ton=顿 mere=米尔 gate=盖特 brook=布鲁');

/** All names there are: those of two parts, then those of three. */
export const NAMES: { short: Word[]; long: Word[] } = {
  short: FIRST.flatMap((first) => LAST.map((last) => join(first, last))),
  long: FIRST.flatMap((first) => MIDDLE.flatMap((middle) => LAST.map((last) => join(first, middle, last)))),
};

function join(...parts: Word[]): Word {
  return { en: parts.map(({ en }) => en).join(''), zh: parts.map(({ zh }) => zh).join('') };
}

export const CITIES = words(
  'Altara=阿尔塔拉市 Bresso=布雷索市 Corina=科里纳市 Dovana=多瓦纳市 Erlo=埃尔洛市 Fosca=福斯卡市 Gravo=格拉沃市 Hestia=赫斯提亚市 Inora=伊诺拉市 Jasmo=亚斯莫市 ' +
    'Kuna=库纳市 Limera=利梅拉市 Mosto=莫斯托市 Nevara=内瓦拉市 Olbia=奥尔比亚市 Prado=普拉多市 Rivana=里瓦纳市 Sonora=索诺拉市 Tirana=蒂拉纳市 Umbria=翁布里亚市',
);

export const CAMPUSES = words(
  'River_Campus=河滨校区 Hill_Campus=山丘校区 North_Campus=北校区 South_Campus=南校区 East_Campus=东校区 West_Campus=西校区 Lake_Campus=湖畔校区 Forest_Campus=森林校区 ' +
    'Harbour_Campus=海港校区 Castle_Campus=城堡校区 Garden_Campus=花园校区 Bridge_Campus=桥头校区',
);

export const SUBJECTS = words(
  'physics=物理 law=法律 medicine=医学 music=音乐 history=历史 chemistry=化学 painting=绘画 farming=农学 biology=生物 geology=地质 poetry=诗歌 economics=经济 ' +
    'astronomy=天文 mathematics=数学 architecture=建筑 philosophy=哲学',
);

/** Founding years: few, so that each is seen often. */
export const YEARS: readonly number[] = Array.from({ length: 24 }, (_, i) => 1805 + 8 * i - (i % 3));

/** What the world says nothing about, though one may ask. */
export const UNKNOWN = words('rector=校长 fees=学费 library=图书馆 students=学生人数 anthem=校歌 motto=校训');
