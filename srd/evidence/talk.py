"""Words that name no subject: what people say to an assistant about its answer.

Why this file exists: a classifier must give each text some label, and gives "write it out cleanly",
"how many hours apart?" and "run the tests again" a confident wrong one. Of such a turn it is known
without a model that it goes on with what was before. This file must not know turns or scores.

The words are English and very common; a turn in another language has subject words only, and is
judged by its score alone. What the list is worth: benchmarks/conversations.py.
"""

import re
from itertools import islice

#: A turn of so many words that may name a subject has one; more are not counted.
ENOUGH = 3
#: A text longer than this is no aside.
_LONG = 1000
#: A run of letters without case and longer than this is several words written together (Chinese).
_RUN = 7
_LETTERS_PER_WORD = 4
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[=^$\\{}<>√∑∫]")
_OPENING = re.compile(r"[.!?:,]\s+|\n+")
# How a turn begins that leans on the one before; "oh, and", "also" and "this" begin new ones too.
_LEANS = re.compile(
    r"(?:(?:ok|okay|hm+|well|yes|no|right|sure|thanks|thank you|good|great|cool|wait|alright)\b"
    r"[\s,.!:]{0,8})*(?:and|but|so|then|or|because|it|its|it['’]s|they|them)\b",
    re.IGNORECASE,
)

_GRAMMAR = """
a about above across actually after again against all almost along already also although always am
among an and another any anybody anyone anything anyway apart are aren't around as at away back
basically be because been before behind being below beside besides between beyond both but by can
can't cannot cant certainly could couldn't dare definitely did didn't didnt do does doesn't doesnt
doing don't done dont down during each earlier eight either else enough even ever every everybody
everyone everything exactly except far few first five for former four fourth from guy guys had
hadn't half has hasn't have haven't having he he'd he's hence her here here's hers herself him
himself his how how's however i i'd i'll i'm i've if im in instead into is isn't isnt it it'd
it'll it's its itself ive just last later latter least less let let's lets like little lot lots
man many may maybe me might mine more most much must mustn't my myself near need needed needs
neither never next nine no nobody none nor not nothing now of off often on once one ones only onto
or other others otherwise ought our ours ourselves out over people per perhaps person previous
probably quite rather really roughly same second seven several shall she she's should shouldn't
simply since six so some somebody someone something sometimes soon still stuff such surely ten
than that that'll that's thats the their theirs them themselves then there there's therefore these
they they'd they'll they're they've thing things third this those though three through thus to
today together tomorrow tonight too toward towards twice two under unlike until up us used usually
very via was wasn't we we'd we'll we're we've were weren't what what's whats when where where's
whether which while who who's whom whose why will with within without won't wont would wouldn't
yesterday yet you you'd you'll you're you've your youre yours yourself
"""
_VERBS = """
add added adding adds agree applied applies apply ask asked asking asks assume assumed began begin
begins believe believed believes bring brings brought call called came change changed changes
changing check checked checking checks choose chose clarify come comes coming compare compared
condense consider continue contradict contradicts correct corrected count counts cut decide delete
deleted depend depends describe disagree draft drop edit edited edits elaborate end ended ending
ends expand expanding expect expected explain explained explaining explains feel feels felt find
finding finds finish finished fix fixed fixes follow followed follows forget forgot format found
gave get gets getting give given gives giving go goes going gone got gotten guess guessing hand
happen happened happening happens held help helped helping helps hold holds include includes keep
keeping keeps kept knew know knowing known knows leave leaves left list listed lists look looked
looking looks lose loses lost made make makes making matter matters mean means meant mention
mentioned miss missed missing pick picked pointed points proceed provide put puts putting quote
read reading recap recapitulate recommend recommended remain remember remove removed removes
repeat rephrase revise revised reword rewrite rewriting rewritten said saw say saying says see
seeing seem seemed seems seen sees send sends sent shorten shortened show showed showing shown
shows simplify skip skipping speak spend split start started starting starts stay stayed stays
stop stopped stopping stops suggest suggested summarise summarised summarize suppose supposed take
taken takes taking talk talked talking tell telling tells think thinking thinks thought told took
translate tried tries try trying turn turned turns understand understood use uses using verify
want wanted wanting wants went work worked working works write writes writing written wrote
"""
_QUALITIES = """
ah ahead alright amazing appreciate appreciated aware awesome bad beautiful best better big bigger
brilliant cheers clean cleaner cleanly clear clearer clearly completely confused confusing cool
deep deeper difference differences different difficult directly discuss discussed double easier
easiest easy entirely everywhere false fast faster fine formal friendlier friendly frustrating
funnier funny good grateful great haha hard harder helpful hm hmm homework honestly hope hundred
important impossible indeed informal interesting kindly large larger lol long longer longest
lovely nah new newer nice nicer nope obliged oh ok okay okey old older oops open perfect perfectly
please pls polite possible punchier quick quicker quickly right sense short shorter shortest silly
similar simple simpler simplest slow slower small smaller sorry stiff stupid sure switch thank
thanks thx topics touch true ugh um unclear useful useless wait welcome well wonderful worse worst
wow wrong yeah yep yes yup
"""
_ANSWERS = """
advantage advantages alternative alternatives amount answer answered answers argument article
beginner beginners beginning bit book boss bottom bullet bullets case cases chat chinese claim
colleague column columns conclusion cons conversation counterargument counterexample criticism
critics day days deadline decade decades detail detailed details disadvantage disadvantages
discussion downside downsides drawback drawbacks english error errors example examples expert
explanation fact facts figure french friend friends german heading home hour hours idea ideas
intro introduction issue issues italian kid kids kind language layperson level limits line lines
link links message middle mind minute minutes mistake mistakes moment month months name names
number numbers opinion option options outline page paragraph paragraphs part parts phrase piece
place problem problems pros question questions reason reasons reference references remark replies
reply response result results row rows section sentence sentences side sides sort source sources
spanish statement statements step steps style subject summary table teacher term terms text
thoughts time times title tone top topic total trouble type version versions view way ways week
weekend weekends weeks word words year years
"""
_CODING = """
approve branch branches build builds built changelog ci cleanup code comment comments commit
commits committed compile compiles dependencies dependency diff diffs doc docs documentation
existing fail failed failing fails failure file files folder formatting functions git green helper
implement implementation input item items lgtm lint linter log logs merge merged mr output pass
passes patch patches plan pr print pull push pushed ran readme rebase red redo refactor
reformatting rename request requests rerun restore retest reuse revert reverted review roll
rollback run running runs save saved squash status task tasks test tested testing tests tidy todo
trace undo unrelated update updated warning warnings
"""
_GREETINGS = """
afternoon ai assistant bot bye chatgpt claude evening goodbye gpt greetings hello hey hi hiya
morning night yo
"""
_COMMON = frozenset(" ".join((_GRAMMAR, _VERBS, _QUALITIES, _ANSWERS, _CODING, _GREETINGS)).split())


def subject_words(text: str) -> int:
    """How many different words of `text` may name a subject, 0 to `ENOUGH`.

    A sign of a formula or of code counts as a word; a text over 1,000 characters has enough.
    """
    if len(text) > _LONG:
        return ENOUGH
    found: set[str] = set()
    count = 0
    for match in _TOKEN.finditer(text):
        token = match[0].lower().replace("’", "'")
        if token in _COMMON or token in found:
            continue
        if token.isalpha():
            found.add(token)
        long = len(token) > _RUN and token.upper() == token
        count += len(token) // _LETTERS_PER_WORD if long else 1
        if count >= ENOUGH:
            return ENOUGH
    return count


def goes_on(text: str) -> bool:
    """Whether `text` begins as one that leans on what was said before: "but then ...", "ok, and if
    it ...". Most such turns keep their subject."""
    return _LEANS.match(text) is not None


def without_opening(text: str) -> str:
    """`text` from its first sentence on that may name a subject; all of it if none does.

    "Ok, changing the subject. Is a will valid without a witness?" is judged by the question.
    """
    start = 0
    for match in islice(_OPENING.finditer(text[:_LONG]), 8):
        if subject_words(text[start : match.end()]):
            return text[start:]
        start = match.end()
    return text[start:] if start and subject_words(text[start:]) else text
