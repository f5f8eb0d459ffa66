"""Public knowledge stays: of the names that were found, those that everybody knows and nothing ties to a person.

"What is the capital of France?" keeps France; "Ngozi was born in France" does not. A name is *public* when it is in the
packaged list (countries, large cities, peoples, persons of history by full name, works, terms, well-known
organisations). It is *tied*, and then protected, where its sentence speaks of somebody: in the first person, of a
patient or relative, with a private name, number or address in it, or after "lives in", "born in", "works for",
"Country:". A name that is tied once is protected in the whole text, so that what stays cannot betray what was replaced.

In questions of general knowledge ("who played ... in the movie") a name that no list has is public as well, if the
question holds a word of public life and nothing of the above.

What this gives away: that a text mentions these public names. A private person who bears a listed full name, in a
sentence without any tie, is taken for the public one. The policy key `public = "protect"` switches all of it off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cmif.enclave.detect import cues
from cmif.enclave.detect.data import entries
from cmif.enclave.detect.lists import lists
from cmif.enclave.words import is_stopword
from cmif.types import Kind, Span

CATEGORIES = ("term", "work", "person", "organisation", "place", "eponym", "host")
_NAMES = frozenset({Kind.PERSON, Kind.PLACE, Kind.ORGANISATION})
# A private value of these kinds makes its sentence, and an address the lines around it, somebody's.
_CONTACT = frozenset(
    {
        Kind.EMAIL, Kind.PHONE, Kind.ADDRESS, Kind.NATIONAL_ID, Kind.CARD, Kind.IBAN, Kind.PRIVATE, Kind.SECRET,
        Kind.PERSON, Kind.ORGANISATION, Kind.ID,
    }
)  # fmt: skip
_JUDGED = frozenset({"names", "address_forms", "ner", "patterns", "special"})
_NEAR_ADDRESS = 60  # characters
_NEAR_LINE = 40  # characters: from a line that holds nothing but names, as in a letter's head
_SAID = re.compile(r"(?<![^\W_])[a-z]{3,}")
_JOURNEY = re.compile(
    r"(?i:\b(?:trips?|vacations?|holidays?|honeymoon|travell?ed|travell?ing|fun to visit|visited|visiting|"
    r"flights?|hotels?|booked|"
    r"booking|itinerary|visas?|relocation|internship|roles?|positions?|office)\b)"
)
_SHORT = 16  # words of a question without its mark

_BOUNDARY = re.compile(r"(?<=[^\W_]{3})(?<!Mrs)(?<!Prof)(?<!Capt)[.!?]+[\"'”’)\]]*\s|\n")
_TOKEN = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*+")
_POSSESSIVE = re.compile(r"['’]s?\Z")

_REQUEST = re.compile(
    r"(?i:\b(?:tell|give|show|help|teach|ask|send|write|explain to|let|for) me\b|\b(?:can|could|may|should|do|"
    r"must|did) (?:I|we)\b|"
    r"\bI(?:['’]d| would)? (?:want|need|like|love|wish)(?: to (?:know|learn|understand|see|write|read|find out|"
    r"create|make)| you to| an?\b)|"
    r"\bI(?:['’]m| am) (?:writing|studying|looking for|researching|reading|working on|curious|interested|"
    r"trying)\b|\bplease help me\b)"
)
_FIRST_PERSON = re.compile(
    r"(?<![\w.])(?:I(?:['’](?:m|ve|d|ll))?(?![\w.-])|(?i:my|mine|myself|me|our|ours|i['’]m|i['’]ve)\b|(?:We|we)\b)"
    r"|(?<![\w.])i (?=(?:am|was|live|lived|moved|work|worked|grew|study|studied|come|came|went|have|had)\b)"
)
_SOMEBODY = re.compile(
    r"(?i:\b(?:patient|pt|client|customer|employee|tenant|landlord|applicant|claimant|plaintiff|defendant|"
    r"candidate|resident|"
    r"colleague|coworker|co-worker|neighbou?r|girlfriend|boyfriend|fianc[ée]e?|roommate|flatmate|"
    r"mr|mrs|ms|mx|(?:reference|recommendation|resignation) letter|letter (?:to|for)|seen (?:in|by|at|for)|"
    r"treat(?:ed|ing)|"
    r"follow-?up|referred (?:to|by)|denies|"
    r"(?:his|her|their|your) (?:wife|husband|son|daughter|mother|father|mom|mum|dad|brother|sister|employer|"
    r"boss|company|team|"
    r"address|home|house|flat|office|account|passport|visa)|"
    r"year[- ]old|(?<=\d )yo|(?<=\d)yo|y/o|diagnosed|admitted|discharged|prescribed|presents (?:with|"
    r"to (?:the|our) (?:clinic|ed|er|"
    r"hospital|office))|complains|"
    r"dear|sincerely|regards|attn|invoice|appointment|lease|resume|curriculum vitae|cover letter|e-?mail|text "
    r"message|phone number|"
    r"passport|visa application|payroll|(?<!average )(?<!minimum )salary(?! cap)|hired|hiring|onboard(?:ing)?)\b)"
)
_HE_OR_SHE = re.compile(r"(?i:\b(?:he|she|him|her|his|hers)\b)")
# Directly before a public name, what says that somebody lives, was born or works there.
_RESIDES = re.compile(
    r"(?i:\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|born|raised|grew up|bred|mov(?:ed?|es|ing)|"
    r"relocat(?:ed?|es|ing)|"
    r"emigrat\w+|immigrat\w+|settled|stay(?:s|ed|ing)?|based|located|works?|worked|working|employed|employee|"
    r"intern(?:ed)?|job|"
    r"stud(?:y|ies|ied|ying)|enrolled|graduat\w+|native|resident|citizen|national|home|house|flat|apartment|"
    r"office|flew|flying|"
    r"travel\w*|hails?|comes?|came|originally|is|was|are|am) (?:[a-z]+ )?(?:in|at|to|for|from|of|near|with|as an?)"
    r"(?: the| a)? )\Z"
)
_GENERIC = re.compile(
    r"(?i:\b(?:who|what|where|when|which|how|why|people|population|animals?|species|movie|film|show|song)\b)"
)
_LABELLED = re.compile(
    r"(?i:\b(?:country|city|town|state|county|nationality|citizenship|birth ?place|place of birth|hometown|"
    r"location|address|"
    r"employer|company|organi[sz]ation|school|university|college|hospital|name|residence|origin|destination|"
    r"based in|"
    r"workplace)\b[\"']?[ \t]{0,3}[:=|][ \t\"']{0,4})\Z"
)
_ROLE = re.compile(
    r"(?i:\b(?:mr|mrs|ms|miss|mx|dr|prof|my|our|his|her|their|your|dear|hi|hello|hey|named?|called|colleague|"
    r"friend|boss|manager|"
    r"patient|client|customer|tenant|employee|user|contact|from|to|with|by|attn|cc|bcc|signed|regards|sincerely|"
    r"wife|husband|son|"
    r"daughter|brother|sister|neighbou?r|uncle|aunt|cousin|i am|i['’]m|this is|ask|tell|call|email|e-mail|met|"
    r"meet|invite|pay|"
    r"remind|phone|visit|contacted|texted)[.:,]? {0,2})\Z"
)
# A person by full name is public after these too, of which only a relation to the writer is private.
_HARMLESS = re.compile(r"(?i:\b(?:by|from|to|with|named?|called) {0,2})\Z")

_ASKS = re.compile(
    r"(?i:\s*(?:[\"'“]|so |and |ok |okay )?(?:who(?:se|m|['’]?s)?|what(?:['’]?s)?|when|where(?:['’]s)?|which|"
    r"how|why)\b)"
)
_QUESTION = re.compile(
    _ASKS.pattern
    + r"|(?i:\s*(?:is|are|was|were|did|does|do|can|has|have|(?:in|on|at|to|for|from) (?:what|which|whom)|"
    r"(?:describe|define|explain|mention|list|name) (?:the|a|of|all|two|three)|the|meaning|types?|location|"
    r"[\w'’ -]{0,80}\b(?:who|what|when|where|which|"
    r"how)\b)\b)"
)
# A part in a play is no client: "Who played Mr Lunde in ...".
_PART_PLAYED = re.compile(
    r"(?i)(\bwho (?:plays|played|voices|voiced) )(?:mr|mrs|ms|miss|dr)\b|(?<=[a-z]['’]s )(?:girlfriend|"
    r"boyfriend)(?= in )"
)
# "Who is Jack's mother in when calls the heart": what no preposition has after it but the title of a work.
_TITLE_CLAUSE = re.compile(
    r"\A(?:Who|What|who|what) (?:is|was|plays|played|voices|voiced) (?:[Mm]rs?\.? ?)?[A-Z][\w’'-]{1,20}"
    r"(?:['’]s? (?:last |full |real )?[a-z]{1,12}| (?:last |full |real )?name)? (?:in|on|from) "
    r"((?:where|when|what|how|why|and|you|i|never|to|be|get|hey|if|so|is|are) [\w'’ ]{3,60})\?"
)
# A character of a work is no client: "Who is Mr Lunde in <title>?"
_CHARACTER = re.compile(r"(?i)(\A\s*who (?:is|was) )(?:mr|mrs|ms|miss|dr)\b\.?")
# A question of an examination, that breaks off where the answer belongs: "Bosnia and Croatia were parts of?"
_TO_BE_FILLED = re.compile(r"(?i:\b(?:of|by|as|an?|the|is|are|was|were|called|to)\?\s*\Z)")
# What somebody asks somebody about themselves.
_YOURS = re.compile(
    r"(?i:\s*(?:so |and |hey |hi )?(?:have|has|are|do|did|will|can|could|would|were|who['’]s|wanna|want to) "
    r"(?:you|we|coming|going)\b)"
)
_PUBLIC_LIFE = re.compile(
    r"(?i:\b(?:movies?|films?|tv|television|sitcom|soap|series|seasons?|episodes?|songs?|lyrics|albums?|bands?|"
    r"singer|sings?|sang|sung|"
    r"music|musical|concert|tour|guitar|actors?|actress(?:es)?|cast|characters?|voice[sd]?|plays|played|playing|"
    r"portray(?:s|ed)?|"
    r"star(?:s|red|ring)?|theme|soundtrack|anime|cartoon|comics?|marvel|disney|netflix|hbo|bbc|novels?|"
    r"chapters?|poem|poet|"
    r"author|wrote|written|painted|painting|composed|composer|directed|director|filmed|shot|set in|"
    r"premiere[sd]?|release[sd]?|"
    r"come out|came out|air(?:s|ed)?|finale|video game|playstation|xbox|olympics?|championships?|cup|league|nfl|"
    r"nba|mlb|nhl|"
    r"ncaa|fifa|uefa|ipl|cricket|football|soccer|basketball|baseball|hockey|rugby|tennis|golf|boxing|racing|"
    r"wrestl\w+|super bowl|"
    r"playoffs?|finals?|stadium|arena|coach|quarterback|goals?|touchdowns?|medals?|tournament|grand slam|"
    r"title|world|"
    r"president|prime minister|king|queen|emperor|monarch|governor|senat\w+|congress|parliament|constitution\w*|"
    r"amendment|"
    r"elect(?:ed|ion|ions|oral)|republic|democrac\w+|government|minister|party|court|act|law|treaty|wars?|"
    r"battle|revolution|"
    r"army|navy|empire|dynasty|colon(?:y|ies|ial|ized)|ancient|century|histor\w+|independence|invaded|conquered|"
    r"founded|invented|"
    r"discovered|explor\w+|first|last|largest|biggest|longest|highest|tallest|oldest|smallest|most|capital|"
    r"population|country|"
    r"countries|states?|cit(?:y|ies)|county|counties|rivers?|mountains?|islands?|oceans?|seas?|lakes?|"
    r"continents?|border|coast|"
    r"desert|region|currency|flag|language|anthem|planets?|moon|stars|sun|galaxy|space|species|animals?|plants?|"
    r"bible|testament|"
    r"gospel|god|gods|goddess|church|religion|myth\w*|theor\w+|law|effect|principle|equation|element|disease|"
    r"syndrome|cells?|"
    r"meaning|mean|stand for|named after|name|nickname|symbol|tradition|holiday|festival|celebrated|brand|"
    r"company|logo|founder|"
    r"ceo|owns?|headquarter\w*|made|make|produced|built|open(?:ed)?|take place|took place|happen(?:ed)?|begin|"
    r"began|start|started|"
    r"end|ended|end up|die[sd]?|killed|win|wins|won|winner|lost|record|episodes|many|famous|known|located|find|"
    r"found|live|"
    r"called|based on|real|story|book|cover|awards?|oscars?|grammys?|nomin\w+|host\w*|judges?|dance\w*|"
    r"channel|show|"
    r"distance|earth|theat(?:er|re)|axis|burgers?|sell|sold|split|members|full name|surname|hurricane|tornado|"
    r"earthquake|volcano|climate|functions?|organ|organelle|bones?|joints?|muscles?|nerves?|arter(?:y|ies)|veins?|"
    r"glands?|acids?|proteins?|atoms?|molecules?|energy|temperature|pressure|reproduction|numerals?|alphabet|"
    r"term|word|saying|"
    r"phrase|proverb|origin|spell|full form|abbreviation|acronym|delegates?|captain|general|commander|"
    r"surrendered|pilgrims|"
    r"colonists|mission|foundation|established|assembly|viceroy|mint|bridge|tower|monument|statue|temple|"
    r"cathedral|building|"
    r"museum|railroad|airport|highway|map|peak|mall|restaurant|sandwich|dish|food|bread|recipe|drink|beer|wine|"
    r"cheese|coach|"
    r"team|player|scored?|goal|points|season|plot|villain|hero|superhero|spin-?off|sequel|trilogy|saga|"
    r"narrat\w+|trailer|"
    r"diaries|magazine|newspaper|website|operating system|programming|software|model|engine|car|ship|train|"
    r"aircraft|airline|"
    r"bank|coin|note|stamp|number one|charts?|billboard|hall of fame|video|dvd|remake|original|version|tribe|"
    r"people)\b)"
)
# Of these, what is said of anybody: beside nothing else a person's name stays protected ("Where does Zarko live?").
_OF_ANYBODY = frozenset(
    "live name find found made make start started begin began end ended open opened win wins won lost "  # noqa: SIM905
    "first last most many known called real story book record cover show company owns owner ceo "
    "happen happened die dies died dead killed wrote written letter state states city party court "
    "act law world team player points sell sold people word members building car train ship "
    "engine model website food dish drink bank host hosted hosts judge judges produced built shot "
    "mean concert tour channel coach title final finals goal goals general captain commander "
    "mission established foundation location map restaurant sandwich recipe beer wine cheese "
    "number version original video plot term plants animals animal plant religion church country "
    "government minister largest biggest oldest longest highest smallest tallest".split()
)
# Beside one of these a question asks about a word, a kind of thing, a part in a play or a contest: what is said of
# nobody's neighbour ("Where does the last name Lunde come from?").
_ASKS_OF_A_THING = re.compile(
    r"(?i:\b(?:(?:term|word|phrase|nickname|surname|name)s? (?:of )?(?:[\w'’-]{1,20} ){1,4}(?:come|"
    r"originate|change|derive)|"
    r"does (?:[\w'’-]{1,20} ){1,4}(?:end up (?:with|together)|play in the)|does it (?:originate|come)|its|"
    r"which of the following|(?:what|which) (?:type|kind|species|breed)s? of|personality test|"
    r"(?:definition|etymology|symbol|synonym) of|associated with (?:which|what)|in which country|"
    r"(?:chromosome|vesicle|enzyme|hormone|mineral|vitamin|molecule|isotope)s?|mitosis|meiosis|"
    r"(?:play|novel|epic|poem|opera) [a-z]{2,12} [a-z]{2,12}|written by|"
    r"grand (?:prix|national)|field goals?|home runs?|wickets?|free kicks?|no-hitters?|lead singers?|"
    r"foundation stone|"
    r"in the (?:play|novel|poem|opera|sitcom)(?=\?)|which means(?=\?)|ways? to say|(?:stanley|world|"
    r"european) cups?|super ?bowl|plane crash|coat of arms|"
    r"(?:biggest|largest|tallest|oldest|longest|highest) [a-z]{2,20} (?:in|of)|(?:declaration|council|"
    r"battles?|articles) of)\b)"
)
# "The Falcons", "a Holden", "the first Orca": not said before a person's name.
_BEFORE_A_THING = re.compile(
    r"(?i:\b(?:the|an?)(?: (?:first|last|big|great|new|old|wild|current|ancient|official|group|most))? )\Z"
)
# The words of a name that is none: what a headline gives a capital ("Which Government had ...").
_NO_NAME = re.compile(
    r"(?i:north|south|east|west|northern|southern|eastern|western|royal|imperial|international|national|"
    r"federal|local|oriental|"
    r"allies|apostles?|administration|association|bill|cups?|prix|superbowl|ceos?|guy|rover|park|mills|grand|"
    r"independence|megalithic|supercar|footballer|champion\w*|african|american\w*|asian|european|mexican)"
)
# Affairs of private life and work: a question with one of these is somebody's.
_PRIVATE_LIFE = re.compile(
    r"(?i:(?<!minimum )(?<!average )(?<!living )\b(?:salary|wage)s?(?! caps?)\b|(?<!how many )\bcustomers?\b|"
    r"(?<!national )(?<!public )(?<!us )(?<!student )\bdebt\b|"
    r"(?<!union )(?<!inaugural )(?<!gettysburg )\baddress\b)|"
    r"(?i:(?<!to )\bcontract\b|\b(?:invoice|meeting|meet|paid|pay|owes?|loan|mortgage|account number|"
    r"password|phone|"
    r"e-?mail|call(?:s|ed)? (?:back|in)|appointment|diagnos\w+|symptoms?|medication|prescri\w+|therapy|surgery|"
    r"lab results?|pregnan\w+|"
    r"divorc\w+|custody|lawsuit|sue[sd]?|arrested|fired|hired|resign\w*|promot\w+|vacation|leave request|"
    r"deadline|project|"
    r"colleague|boss|manager|employee|client|patient|tenant|landlord|neighbou?r|roommate|classmate|"
    r"homework|grades?|"
    r"quarter(?:ly)?|budget|forecast|roadmap|confidential|internal|nda|shipment|ticket)\b)"
)


# A published decision by its reporter, with the parties before it: "Roe v. Wade, 410 U.S. 113 (1973)".
_CITE = re.compile(
    r"(?:[A-Z][\w.'’&-]{0,30}(?: [A-Z&][\w.'’-]{0,30}| of| and| the){0,6} vs?\.? [A-Z][\w.'’&-]{0,30}(?: "
    r"[A-Z&][\w.'’-]{0,30}| of| and| the){0,6}, )?"
    r"(?<!\w)\d{1,4} (?:U\. ?S\.|F\.(?: ?(?:2d|3d|4th|Supp\.(?: ?[23]d)?|App[’']x))?|S\. ?Ct\.|L\. ?Ed\.(?: "
    r"?2d)?|N\.[EWY]\.(?:S\.)?(?: ?[23]d)?|"
    r"S\.[EW]\.(?: ?[23]d)?|So\.(?: ?[23]d)?|P\.(?: ?[23]d)|A\.(?: ?[23]d)|Cal\.(?: ?App\.)?(?: ?(?:2d|3d|4th|"
    r"5th))?|U\.S\.C\.|C\.F\.R\.|Fed\. Reg\.|"
    r"Wis\.|Ill\.|Mass\.|Pa\.|Va\.|Ga\.|Mich\.|Minn\.|Conn\.|Wash\.|Tex\.|Ohio St\.) (?:§{1,2} "
    r"?)?\d{1,5}(?:[\w.()-]{0,12})(?:, \d{1,5}){0,2}(?: \((?:[\w. ]{0,20} )?[12]\d{3}\))?"
    r"|\[[12]\d{3}\] (?:\d{1,3} )?[A-Z][A-Za-z ]{1,12} \d{1,5}"
)


@dataclass(frozen=True, slots=True)
class KeptPublic:
    """``text[start:end]`` was found as ``kind`` and stays; ``reason``: the category it is listed in, or "question"."""

    start: int
    end: int
    kind: Kind
    reason: str


@lru_cache(maxsize=1)
def _listed() -> dict[str, str]:
    """Every public entry and its category; a person's last word too where it alone means the person."""
    found: dict[str, str] = {}
    for category in CATEGORIES:
        files = ("place", "place_geonames") if category == "place" else (category,)
        for file in files:
            for entry in entries(f"public/{file}.txt"):
                name = entry.lstrip("*").rstrip(".")
                found.setdefault(name, category)
                if entry.startswith("*"):
                    parts = name.split(" ")
                    found.setdefault(parts[-1], category)
                    if parts[-2:-1] and parts[-2] in cues.PARTICLES:
                        found.setdefault(" ".join(parts[-2:]), category)  # "Van Gogh"
    return found


@lru_cache(maxsize=1)
def _special_public() -> frozenset[str]:
    """Words of special categories that in a question of general knowledge say nothing about who asks."""
    return frozenset().union(
        entries("public/question_word.txt"),
        *(entries(f"special/{c}.txt") for c in ("origin", "faith", "politics")),
    )


def judge(text: str, spans: Sequence[Span]) -> tuple[tuple[Span, ...], tuple[KeptPublic, ...]]:
    """``spans`` (disjoint, sorted) without those that are public and tied to nobody, and these with the reason."""
    cites = [match.span() for match in _CITE.finditer(text)] if " v" in text or "." in text else []
    reasons = [
        "cite" if any(a <= s.start and s.end <= b for a, b in cites) else _category(text, s) for s in spans
    ]
    questions: dict[tuple[int, int], _Question | None] = {}
    bounds: list[tuple[int, int]] = []
    for span, reason in zip(spans, reasons, strict=True):
        bounds.append(_sentence(text, span.start) if _is_judged(span) or reason else (0, 0))
    protected: set[str] = set()
    kept: list[str | None] = []
    sentences = _by_sentence(text, spans, reasons)
    for i, (span, reason) in enumerate(zip(spans, reasons, strict=True)):
        if reason == "cite" or not _is_judged(span):
            kept.append(reason)
            continue
        sentence = bounds[i]
        if sentence not in questions:
            questions[sentence] = _question(text, *sentence, spans)
        question = questions[sentence]
        if question and span.kind is not Kind.WORD and not reason:
            reason = "question" if _is_asked_about(text, span, question) else None
        elif question and span.kind is Kind.WORD and not reason:
            reason = "work" if _is_in_title(text, span, sentence) else None
        elif reason == "word":
            reason = reason if question else None
        elif reason and not question and _is_tied(text, span, reason, sentence, sentences):
            reason = None
        kept.append(reason)
        if reason is None and span.kind in _NAMES:
            protected.update(_names(text, span))
    out: list[Span] = []
    public: list[KeptPublic] = []
    for span, reason in zip(spans, kept, strict=True):
        if reason and (span.kind is Kind.WORD or not protected.intersection(_names(text, span))):
            public.append(KeptPublic(span.start, span.end, span.kind, reason))
        else:
            out.append(span)
    return tuple(out), tuple(public)


def _is_judged(span: Span) -> bool:
    return span.detector in _JUDGED and (span.kind in _NAMES or span.kind in (Kind.WORD, Kind.URL, Kind.DATE))


def _names(text: str, span: Span) -> Iterator[str]:
    """A name and the parts of it that may stand alone."""
    name = _spelling(text[span.start : span.end])
    yield name
    if span.kind is Kind.PERSON:
        yield from (part for part in name.split(" ") if len(part) > 2 and not is_stopword(part))


def _spelling(name: str) -> str:
    return _POSSESSIVE.sub("", " ".join(name.lower().replace("’", "'").split())).rstrip(".")


def _category(text: str, span: Span) -> str | None:
    """The category of a found span in the public list, however it is tied."""
    if not _is_judged(span):
        return None
    name = _spelling(text[span.start : span.end])
    if span.kind is Kind.WORD:
        return "word" if name in _special_public() or name.rstrip("s") in _special_public() else None
    if span.kind is Kind.URL:
        return (
            "host"
            if re.sub(r"\Ahttps?://|\Awww\.", "", name).rstrip("/").split("/licenses")[0].removeprefix("www.")
            in _listed()
            else None
        )
    if text[span.end : span.end + 2] in ("'s", "’s") and (shop := _listed().get(f"{name}'s")):
        return shop
    listed = _listed().get(name) or _listed().get("the " + name)
    words = name.split(" ")
    if listed and (len(words) > 1 or not _may_be_private(name, listed)):
        return listed if listed != "eponym" or _goes_on_as_term(text, span) else None
    if _goes_on_as_term(text, span) and words[-1] in _eponyms():
        return "eponym"
    if span.kind in _NAMES and len(words) == 1 and (around := _around(text, span, name)):
        return around
    tiled = _tiled(words) if len(words) > 1 else None
    return None if tiled == "place" and span.kind is Kind.PERSON else tiled


_WORD_BEFORE = re.compile(r"(?<![^\W_])[^\W_]{2,20} \Z")
_WORD_AFTER = re.compile(r" [^\W_]{2,20}(?![^\W_])")


def _around(text: str, span: Span, name: str) -> str | None:
    """The category of a listed name of which only this word has its capital: "las Vegas", "Coca cola"."""
    before = _WORD_BEFORE.search(text, max(0, span.start - 22), span.start)
    after = _WORD_AFTER.match(text, span.end)
    singular = name.removesuffix("s")  # "new Zealands coast"
    led = (before.group() + name, before.group() + singular) if before else ()
    for whole in (*led, after and name + after.group()):
        if whole and _listed().get(whole.lower()) in ("place", "organisation", "work"):
            return _listed()[whole.lower()]
    return None


def _may_be_private(word: str, category: str) -> bool:
    """Whether a listed single word is a private person's name as well."""
    known = lists()
    if category == "person":
        return word in known.given
    return known.names.get(word) is Kind.PERSON and category not in ("eponym",)


@lru_cache(maxsize=1)
def _eponyms() -> frozenset[str]:
    return entries("public/eponym.txt") | cues.EPONYMS


_TERM = re.compile(
    r"(?:['’]s?)?(?:[ -](?:[a-z]+[ -]){0,1}(?:" + "|".join(sorted(cues.TERM_NOUNS)) + r")s?\b)", re.IGNORECASE
)


def _goes_on_as_term(text: str, span: Span) -> bool:
    """ "Murphy sign", "Bayes' rule", "Foley balloon catheter"; or the noun is the last word of the name itself."""
    last = text[span.start : span.end].rpartition(" ")[2].lower()
    return _TERM.match(text, span.end) is not None or last.rstrip("s") in cues.TERM_NOUNS


def _tiled(words: list[str]) -> str | None:
    """The category of a name made of public names, with everyday words beside terms: "Microsoft Excel"."""
    known = lists()
    category: str | None = None
    plain = False
    i = 0
    while i < len(words):
        for n in range(min(4, len(words) - i), 0, -1):
            part = " ".join(words[i : i + n])
            found = _listed().get(part)
            if found in (None, "eponym", "person") or (n == 1 and _may_be_private(part, found or "")):
                continue
            category = category or found
            i += n
            break
        else:
            if words[i] in known.names or (
                words[i] not in known.ordinary and words[i].upper() not in known.abbreviations
            ):
                return None
            plain = True
            i += 1
    return (
        category
        if not plain or category in ("term", "organisation", "work") or words[-1] in cues.PLACE
        else None
    )


def _sentence(text: str, at: int) -> tuple[int, int]:
    """The sentence or line around ``at``, looked for within 600 characters on either side."""
    start = max(0, at - 600)
    for match in _BOUNDARY.finditer(text, start, at):
        start = match.end()
    following = _BOUNDARY.search(text, at, min(len(text), at + 600))
    return start, following.start() + 1 if following else min(len(text), at + 600)


def _by_sentence(text: str, spans: Sequence[Span], reasons: Sequence[str | None]) -> list[Span]:
    """The spans that make a sentence somebody's: private names and values."""
    return [s for s, reason in zip(spans, reasons, strict=True) if reason is None and s.kind in _CONTACT]


def _is_tied(
    text: str, span: Span, category: str, sentence: tuple[int, int], private: Sequence[Span]
) -> bool:
    start, end = sentence
    before = text[max(start, span.start - 60) : span.start]
    if category == "host":
        return False
    if category in ("term", "eponym", "work"):
        return category == "work" and _ROLE.search(before) is not None and not _HARMLESS.search(before)
    told = _REQUEST.sub(" ", text[start:end])
    if category == "person" and _ROLE.search(before) and not _HARMLESS.search(before):
        return True
    if _SOMEBODY.search(told) or _LABELLED.search(before):
        return True
    if any(s.start < end and start < s.end for s in private):
        return True
    reach = _NEAR_LINE if category != "person" and not _SAID.search(told) else 0
    for other in private:
        near = _NEAR_ADDRESS if other.kind is Kind.ADDRESS else reach
        if -near < other.start - span.end < near or -near < span.start - other.end < near:
            return True
    if _FIRST_PERSON.search(told):
        return True
    if category == "person":
        return False
    if category == "place" and _JOURNEY.search(told):
        return True
    resides = _RESIDES.search(before) is not None
    return resides and (_HE_OR_SHE.search(told) is not None or not _GENERIC.search(told))


@dataclass(frozen=True, slots=True)
class _Question:
    """``public``: it holds a word of public life, ``sure`` one that is not said of anybody. ``alone``: it is the whole
    text."""

    public: bool
    sure: bool
    alone: bool


def _question(text: str, start: int, end: int, spans: Sequence[Span]) -> _Question | None:
    """What a sentence is if it asks and is nobody's affair. A text with private values has no such question."""
    told = text[start:end]
    alone = not text[:start].strip() and not text[end:].strip()
    short = alone and told.count(" ") < _SHORT and "," not in told
    if not told.rstrip().endswith("?") and not (short and _ASKS.match(told)):
        return None
    works = list(_works(told)) + [match.span(1) for match in _TITLE_CLAUSE.finditer(told)]
    for a, b in works:
        told = told[:a] + "_" * (b - a) + told[b:]  # the "our" of "Days of Our Lives" is nobody's
    told = _PART_PLAYED.sub(r"\1", told)
    if works:
        told = _CHARACTER.sub(r"\1", told)
    public = bool(works) or _PUBLIC_LIFE.search(told) is not None
    asked = (
        alone and (public or _TO_BE_FILLED.search(told) is not None or _ASKS_OF_A_THING.search(told) is not None)
    ) or _QUESTION.match(told) is not None
    if not asked:
        return None
    if (
        _YOURS.match(told)
        or _SOMEBODY.search(told)
        or _PRIVATE_LIFE.search(told)
        or _FIRST_PERSON.search(_REQUEST.sub(" ", told))
    ):
        return None
    if any(s.kind in _CONTACT and s.kind not in _NAMES and s.kind is not Kind.ADDRESS for s in spans):
        return None
    sure = (
        any(m.group().lower() not in _OF_ANYBODY for m in _PUBLIC_LIFE.finditer(told))
        or _ASKS_OF_A_THING.search(told) is not None
        or bool(works)
    )
    return _Question(public, sure, alone)


def _works(told: str) -> Iterator[tuple[int, int]]:
    """Where listed works and persons of history stand in a question, in whatever case: those of several words, of which
    one is uncommon or that follow a word such as "in", "movie", "by"; a single uncommon word at its end ("on NCIS?").
    """
    tokens = [(m.start(), m.end(), m.group()) for m in _TOKEN.finditer(told.lower().replace("’", "'"))]
    known = lists()
    i = 0
    while i < len(tokens):
        for n in range(min(6, len(tokens) - i), 0, -1):
            words = [word for _, _, word in tokens[i : i + n]]
            if _listed().get(" ".join(words)) not in ("work", "person"):
                continue
            titled = i > 0 and tokens[i - 1][2] in _BEFORE_A_WORK
            rare = any(word not in known.ordinary and word not in known.given for word in words)
            several = n - (words[0] in ("the", "a")) > 1
            if (several and (titled or rare)) or (titled and rare and i + n == len(tokens)):
                yield tokens[i][0], tokens[i + n - 1][1]
                i += n - 1
                break
        i += 1


def _is_in_title(text: str, span: Span, sentence: tuple[int, int]) -> bool:
    """Whether a word of a special category stands in the title of a listed work or event: "the Great Depression"."""
    tokens = [
        (m.start(), m.end(), m.group().lower().replace("’", "'"))
        for m in _TOKEN.finditer(text, max(sentence[0], span.start - 60), min(sentence[1], span.end + 60))
    ]
    at = next((i for i, (start, end, _) in enumerate(tokens) if start <= span.start < end), None)
    if at is None:
        return False
    return any(
        _listed().get(" ".join(word for _, _, word in tokens[first:end])) in ("work", "place")
        for first in range(max(0, at - 5), at + 1)
        for end in range(max(at + 1, first + 2), min(len(tokens), first + 6) + 1)
    )


_BEFORE_A_WORK = frozenset("in on from of by movie film song show series book novel play".split())  # noqa: SIM905


def _is_asked_about(text: str, span: Span, question: _Question) -> bool:
    """Whether an unlisted name, or a date, in a question of general knowledge is public: with a word of public life
    any, without one what looks like nobody's name.
    """
    before = text[max(0, span.start - 12) : span.start]
    if span.kind not in _NAMES:
        return span.kind is Kind.DATE and (question.public or question.sure)
    if re.search(r"(?i:\b(?:mr|mrs|ms|miss|dr)\.? ?)\Z", before):
        return question.sure and question.alone
    words = _spelling(text[span.start : span.end]).split(" ")
    if len(words) > 1 and _tiled(words) == "place":  # "Croatia Macedonia", whose commas were left out
        return question.alone
    if all(_NO_NAME.fullmatch(word) or _PUBLIC_LIFE.fullmatch(word) for word in words):
        return question.alone
    given = any(word in lists().given for word in words)
    if span.kind is not Kind.PERSON or _BEFORE_A_THING.search(before):
        return question.public or (question.alone and not given)
    return question.sure
