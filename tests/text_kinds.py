"""Twenty-six kinds of text, each of a few hundred tokens and no sentence like another."""

# ruff: noqa: E501 - a line of a text is as long as it is

from __future__ import annotations

import base64
import json
import random
import uuid

_RNG = random.Random(20)

ENGLISH = """
The ferry leaves the harbour at seven and reaches the island before the bakery opens. Most of the
passengers are carpenters and teachers who have learned to sleep standing up. A dog that belongs to
nobody inspects every suitcase. When the fog is thick, the captain sounds the horn twice and slows
down, although he could steer this channel blindfolded. The lighthouse was automated thirty years
ago; its last keeper still climbs the stairs on Sundays to polish the brass. In winter the crossing
takes longer because ice gathers around the pier, and someone must break it with a long iron pole.
Children collect the pieces and compare their shapes. Nobody remembers who painted the bench green,
but everybody agrees that it should remain green. My grandmother used to say that an island teaches
patience to those who arrive and impatience to those who stay. She kept a ledger of storms with
three columns: the date, the damage, and what the neighbours said about it afterwards.
"""
GERMAN = """
Die Werkstatt liegt hinter dem alten Bahnhofsgebäude, wo früher Güterwagen entladen wurden. Morgens
riecht es nach Sägespänen und frischem Kaffee. Der Meister prüft jede Schraube, bevor er das
Werkstück freigibt, und seine Auszubildende notiert die Abmessungen in ein kariertes Heft. Im
Herbst reparieren sie vor allem Fensterrahmen, weil die Leute vor dem ersten Frost merken, dass es
durch die Ritzen zieht. Gestern brachte ein Nachbar einen wackligen Schaukelstuhl, den sein
Urgroßvater gezimmert hatte. Man sollte nicht unterschätzen, wie viel Geduld eine unsichtbare
Verbindung verlangt. Zwischen den Regalen steht eine Drehbank, die älter ist als die Straße.
"""
FRENCH = """
Le marché s'installe chaque jeudi sur la place, devant l'ancienne mairie. Les maraîchers arrivent
avant l'aube avec des caisses de poireaux, de fraises et de fromages enveloppés dans du papier.
Une vieille dame marchande toujours le prix des œufs, même quand il est affiché en grosses lettres.
Le fleuriste prétend que ses tulipes supportent le gel, mais personne ne le croit vraiment. À midi,
les cloches sonnent et les terrasses se remplissent de gens qui parlent du temps, des élections et
des travaux interminables du pont. L'hiver dernier, la rivière a débordé et les étals ont été
déplacés dans la cour de l'école, où les enfants vendaient du chocolat chaud.
"""
RUSSIAN = """
Библиотека в нашем посёлке открывается поздно, зато работает до самого вечера. За стеклянной дверью
пахнет старой бумагой и яблоками, которые приносит сторож. Дети приходят сюда после уроков, чтобы
готовить доклады о реках и вулканах. Библиотекарь помнит, какую книгу взял каждый житель прошлой
весной, и никогда не торопит опоздавших. Летом окна распахнуты, и слышно, как за оградой стучит
мяч. Однажды сюда привезли карту морских течений, и целая неделя ушла на то, чтобы её повесить.
"""
GREEK = """
Το καφενείο της πλατείας ανοίγει πριν ξημερώσει, όταν οι ψαράδες γυρίζουν από τη θάλασσα. Ο
ιδιοκτήτης ψήνει τον καφέ στη χόβολη και διηγείται ιστορίες για μακρινά λιμάνια. Τα απογεύματα τα
παιδιά παίζουν κάτω από τον πλάτανο, ενώ οι γέροι μετρούν τα πλοία που περνούν. Τον χειμώνα η βροχή
χτυπά τα παράθυρα και κανείς δεν βιάζεται να φύγει. Κάθε Κυριακή ένας μουσικός φέρνει το βιολί του.
"""
ARABIC = """
يفتح الخباز دكانه قبل طلوع الشمس، ويعجن الدقيق بالماء والملح كما تعلم من أبيه. يمر الأطفال في طريقهم
إلى المدرسة ويشترون أرغفة ساخنة ملفوفة بالورق. في الشتاء يجتمع الجيران قرب الفرن ويتحدثون عن المطر
وأسعار الزيتون. كانت القرية صغيرة ثم كبرت حين وصل الطريق الجديد، لكن الناس ما زالوا يعرفون بعضهم
بالأسماء. وعندما يأتي الصيف تمتلئ الأسطح بالمشمش المجفف وتبقى النوافذ مفتوحة طوال الليل.
"""
HINDI = """
गाँव के बाहर एक पुराना कुआँ है जहाँ सुबह से ही लोगों की भीड़ लग जाती है। बच्चे स्कूल जाने से पहले वहाँ खेलते हैं और
बुज़ुर्ग पेड़ की छाया में बैठकर मौसम की बातें करते हैं। पिछले साल बारिश देर से आई, इसलिए किसानों ने बाजरा बोया। डाकिया
हर मंगलवार साइकिल से आता है और सबके पत्र पढ़कर सुनाता है। शाम को मंदिर की घंटी बजती है और रसोई से रोटी की महक आती है।
"""
THAI = """
ตลาดริมน้ำเปิดตั้งแต่เช้ามืด พ่อค้าแม่ค้าพายเรือมาจากหลายหมู่บ้าน บางคนขายผักสด บางคนขายขนมที่ห่อด้วยใบตอง
เด็กๆ ชอบนั่งดูปลาใต้สะพาน ส่วนคนแก่นั่งคุยกันเรื่องฝน ปีนี้น้ำขึ้นสูงกว่าปกติ ทุกบ้านจึงยกของขึ้นชั้นบน
เมื่อถึงวันพระ ผู้คนแต่งตัวสวยงาม ไปทำบุญที่วัด แล้วกลับมากินข้าวด้วยกัน ตอนเย็นลมพัดเย็นสบาย เสียงดนตรีดังมาไกลๆ
"""
CHINESE = """
小镇的邮局在河边，门口有一棵很老的槐树。每天上午，邮递员把信件分成三堆，然后骑车穿过稻田。夏天他会在桥下休息，听老人讲过去发大水的故事。
孩子们喜欢收集邮票，尤其是画着火车和鲸鱼的那几张。去年冬天下了大雪，路被封住，大家只好自己走来取包裹。邮局里有一只猫，它从来不抓老鼠，
只是睡在暖气旁边。镇长说要盖一座新楼，可是没有人真的希望旧房子消失。
"""
JAPANESE = """
駅前の古い時計屋は、朝の九時になると静かに扉を開けます。店の中には止まった時計がたくさん並んでいて、それぞれ違う時刻を指しています。
おじいさんは小さなねじを一つずつ磨きながら、昔の町の話をしてくれます。雨の日には子どもたちが集まって、カチカチという音を数えます。
となりのパン屋からはバターのにおいがして、みんなすぐにおなかがすいてしまいます。
"""
KOREAN = """
바닷가 마을에는 작은 등대가 하나 있습니다. 아침마다 어부들은 그물을 손질하고 날씨를 살핍니다. 아이들은 모래 위에 성을 쌓다가
파도가 오면 웃으며 도망칩니다. 겨울에는 바람이 세게 불어서 배가 나가지 못하는 날이 많습니다. 그럴 때 사람들은 따뜻한 방에
모여 고구마를 구워 먹으며 옛날이야기를 나눕니다. 등대지기는 매일 밤 불을 켜고 일기를 씁니다.
"""
PYTHON = '''
class LedgerWriter:
    """Appends entries to a file and keeps a running balance."""

    def __init__(self, path: str, *, currency: str = "EUR") -> None:
        self._path = path
        self._currency = currency
        self._balance = Decimal("0")

    def append(self, amount: Decimal, memo: str | None = None) -> int:
        if amount.is_nan():
            raise ValueError(f"not an amount: {amount!r}")
        self._balance += amount
        with open(self._path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps({"amount": str(amount), "memo": memo}) + "\\n")
        return len([entry for entry in self.entries() if entry["amount"] > 0])

    @property
    def balance(self) -> Decimal:
        return self._balance.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="print every entry")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.INFO)
    for index, line in enumerate(sys.stdin, start=1):
        try:
            writer.append(Decimal(line.strip()))
        except InvalidOperation as error:
            logger.warning("line %d skipped: %s", index, error)
    return 0 if writer.balance >= 0 else 1
'''
JAVASCRIPT = """
import { useEffect, useState } from 'react';

export function useDebounced(value, delayMs = 250) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), delayMs);
    return () => clearTimeout(timer);
  }, [value, delayMs]);
  return settled;
}

const fetchOrders = async ({ customerId, signal }) => {
  const response = await fetch(`/api/customers/${customerId}/orders?limit=50`, { signal });
  if (!response.ok) {
    throw new Error(`request failed: ${response.status}`);
  }
  const { items = [], nextPageToken } = await response.json();
  return { items: items.filter((order) => order.total > 0), nextPageToken };
};

document.querySelectorAll('[data-tooltip]').forEach((element) => {
  element.addEventListener('mouseenter', (event) => {
    const { top, left } = event.currentTarget.getBoundingClientRect();
    tooltip.style.transform = `translate(${left}px, ${top - 24}px)`;
    tooltip.textContent = element.dataset.tooltip ?? '';
  });
});
"""
C = """
#include <stdint.h>
#include <string.h>

struct ring { uint8_t *data; size_t head, tail, size; };

static inline size_t ring_used(const struct ring *r)
{
    return (r->head - r->tail) & (r->size - 1);
}

int ring_push(struct ring *r, const void *src, size_t n)
{
    size_t i, room = r->size - 1 - ring_used(r);
    if (n > room)
        return -ENOSPC;
    for (i = 0; i < n; i++) {
        r->data[r->head] = ((const uint8_t *)src)[i];
        r->head = (r->head + 1) & (r->size - 1);
    }
    __atomic_store_n(&r->head, r->head, __ATOMIC_RELEASE);
    return 0;
}

#define CHECK(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\\n", __FILE__, __LINE__, #x); abort(); } } while (0)
"""
LATEX = r"""
Let $f\colon \mathbb{R}^n \to \mathbb{R}$ be convex and differentiable. Then
\begin{equation} f(y) \ge f(x) + \nabla f(x)^{\top}(y - x), \qquad \forall x, y. \label{eq:first} \end{equation}
Integrating by parts, $\int_0^\infty x^{s-1} e^{-x}\,dx = \Gamma(s)$ and $\zeta(2) = \sum_{n=1}^{\infty} \frac{1}{n^2} = \frac{\pi^2}{6}$.
If $A \in \mathbb{C}^{m \times n}$ has singular values $\sigma_1 \ge \dots \ge \sigma_r > 0$, then $\|A\|_F^2 = \sum_{i=1}^{r} \sigma_i^2$.
\begin{pmatrix} a_{11} & a_{12} \\ a_{21} & a_{22} \end{pmatrix} \cdot \begin{pmatrix} x \\ y \end{pmatrix} = \lambda \begin{pmatrix} x \\ y \end{pmatrix}
"""
SHELL = """
$ git status --short
 M src/parser/lexer.rs
?? notes.txt
$ cargo test --workspace 2>&1 | tail -n 5
test lexer::tests::nested_comment ... ok
test result: FAILED. 41 passed; 1 failed; 0 ignored; finished in 2.31s
error: test failed, to rerun pass `-p parser --lib`
$ ls -la /var/lib/postgresql/16/main/pg_wal | head
drwx------ 3 postgres postgres 4096 Mar 11 08:14 .
-rw------- 1 postgres postgres 16777216 Mar 11 08:12 0000000100000000000000A3
$ kubectl get pods -n staging -o wide
NAME                        READY   STATUS             RESTARTS   AGE   IP           NODE
checkout-7d9c5b6f4-x2lqp    1/1     Running            0          3d    10.42.1.17   node-b
worker-5f6d8cbb7b-9k4zt     0/1     CrashLoopBackOff   17         61m   10.42.2.8    node-c
$ curl -sS -o /dev/null -w '%{http_code} %{time_total}\\n' https://registry.internal/v2/_catalog
401 0.084
"""
MINIFIED = (
    "!function(e,t){\"object\"==typeof exports&&\"undefined\"!=typeof module?t(exports):"
    "\"function\"==typeof define&&define.amd?define([\"exports\"],t):t((e=e||self).lib={})}(this,"
    "function(e){\"use strict\";var n=Object.assign||function(e){for(var t=1;t<arguments.length;t++)"
    "{var n=arguments[t];for(var r in n)Object.prototype.hasOwnProperty.call(n,r)&&(e[r]=n[r])}"
    "return e};function r(e,t){if(!(e instanceof t))throw new TypeError(\"Cannot call a class as a "
    "function\")}var o=function(){return(o=n||{}).apply(this,arguments)},i=/^(?:\\s*)[a-z]+$/i,"
    "a=e=>e.map(e=>e*2).filter(Boolean),u=window.innerWidth>=768?\"wide\":\"narrow\";"
    "e.version=\"3.2.1\",e.render=function(e,t){return t.appendChild(document.createElement(e)),t}});"
)  # fmt: skip
EMOJI = """
Launch day 🚀🎉 finally here!! 😀 team is so 😴 but happy 🥳🥳 who wants 🍕 or 🍣? I vote 🌮 👍🏽 lol
❤️ thanks everyone 🙏 the demo went great 👏👏👏 except for 🔥 in the kitchen 😅 photos later 📸
weather ☀️ then 🌧 then ⛄️ ??? packing 🎒🧢🧦 train 🚆 at 8 ⏰ see you 👋 family 👨‍👩‍👧‍👦 says hi 🐶🐱
"""


def _json() -> str:
    return json.dumps(
        [
            {
                "id": 1000 + index,
                "customer": {"name": f"Customer {index}", "active": index % 3 > 0},
                "items": [{"sku": f"AB-{_RNG.randrange(9999)}", "price": round(_RNG.random(), 2)}],
                "createdAt": f"2026-02-{index + 1:02}T09:{_RNG.randrange(60):02}:00Z",
            }
            for index in range(12)
        ],
        indent=2,
    )


def _logs() -> str:
    ends = ("connection reset by peer", "slow query took 1834 ms", "retry scheduled in 30s",
            "user logged in", "cache warmed", "unable to parse header")  # fmt: skip
    return "\n".join(
        f"2026-04-{_RNG.randrange(1, 30):02} 12:{_RNG.randrange(60):02}:{_RNG.randrange(60):02},"
        f"{_RNG.randrange(999):03} {_RNG.choice(('INFO', 'WARN', 'ERROR'))} [worker-{index % 7}] "
        f"c.e.shop.OrderService - {_RNG.choice(ends)} (10.0.{index}.{_RNG.randrange(255)})"
        for index in range(25)
    )


def _table() -> str:
    rows = "\n".join(
        f"| {name} | {_RNG.randrange(100)} | {_RNG.random():.3f} | {'yes' if _RNG.random() > 0.5 else 'no'} |"
        for name in ("apples", "walnuts", "quince", "barley", "rye", "chestnut", "plum", "leek") * 3
    )
    return f"| Crop | Fields | Yield (t/ha) | Organic |\n|------|-------:|:------------:|---|\n{rows}\n"


def _urls() -> str:
    hosts = ("docs.example.org", "shop.example.com", "api.internal.example.net")
    paths = ("guide/install", "v2/orders", "search", "static/img/header.png", "users/profile/edit")
    return "\n".join(
        f"https://{_RNG.choice(hosts)}/{_RNG.choice(paths)}?page={_RNG.randrange(90)}&ref=mail#s{index}"
        for index in range(30)
    )


KINDS: dict[str, str] = {
    "English": ENGLISH,
    "German": GERMAN,
    "French": FRENCH,
    "Russian": RUSSIAN,
    "Greek": GREEK,
    "Arabic": ARABIC,
    "Hindi": HINDI,
    "Thai": THAI,
    "Chinese": CHINESE,
    "Japanese": JAPANESE,
    "Korean": KOREAN,
    "Python": PYTHON,
    "JavaScript": JAVASCRIPT,
    "C": C,
    "JSON": _json(),
    "logs": _logs(),
    "base64": "\n".join(
        base64.b64encode(_RNG.randbytes(57)).decode() for _ in range(14)
    ),
    "hexadecimal ids": " ".join(_RNG.randbytes(_RNG.choice((4, 8, 16, 20, 32))).hex() for _ in range(40)),
    "UUIDs": "\n".join(str(uuid.UUID(int=_RNG.getrandbits(128), version=4)) for _ in range(30)),
    "URLs": _urls(),
    "LaTeX": LATEX,
    "a Markdown table": _table(),
    "numbers": ", ".join(str(_RNG.randrange(10 ** _RNG.randrange(1, 9))) for _ in range(150)),
    "emoji": EMOJI,
    "minified": MINIFIED,
    "a shell": SHELL,
}  # fmt: skip
