"""Closed word classes by which :mod:`names` tells a person, a place and an organisation apart. Lower case."""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# No part of any name, whatever surrounds them.
HONORIFICS = _set("mr mrs ms miss mister mx dr prof mme mlle herr frau esq")

# Before a name, and no part of it: forms of address, professions, roles.
TITLES = _set(
    "gov sen rep mister mr mrs ms miss mx dr prof professor sir madam madame mme mlle monsieur herr frau fräulein "
    "señor señora senor senora signor signora lord lady dame baron baroness count countess duke duchess prince "
    "princess king queen sultan sheikh emperor rev reverend father sister brother pastor rabbi imam bishop "
    "archbishop cardinal pope saint judge justice attorney counsel advocate barrister solicitor esq hon captain "
    "capt major maj colonel col general gen lieutenant lt sergeant sgt corporal private admiral commander officer "
    "inspector detective constable sheriff agent president chancellor minister senator governor mayor councillor "
    "ambassador secretary chairman chairwoman chair director manager supervisor doctor nurse surgeon physician "
    "consultant therapist patient client customer claimant defendant plaintiff appellant respondent applicant "
    "tenant landlord borrower lender guarantor buyer seller employee employer witness beneficiary insured "
    "policyholder mum mom dad mummy daddy uncle aunt auntie grandma grandpa grandmother grandfather cousin coach "
    "chef user assistant contact attn attention dear hi hello hey regards sincerely cheers name names surname "
    "firstname lastname fullname forename signed from to subject re cc bcc date address phone tel email mobile "
    "fax office desk website"
)

CALENDAR = _set(
    "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays "
    "saturdays sundays january february march april june july august september october november december jan feb "
    "mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun christmas easter god "
    "internet english latin ok"
)

BEFORE_MONTH = _set("in of by since until till last next this early late mid during before after from every")

# Inside a name, lower case.
PARTICLES = _set(
    "van von der den de del della di da dos das du la le les el al bin ibn ben abu ter ten te zu zur af av 't y e "
    "i"
)
# At the end of a company's name, and of nothing else.
LEGAL_FORMS = _set(
    "ltd limited inc incorporated llc llp plc gmbh ag kg ohg sarl srl spa nv bv oy oyj kft pty corp corporation"
)
# Inside an organisation's or a place's name, lower case.
JOINERS = _set("of the for and & on upon de du des")

ORGANISATION = _set(
    "ltd limited inc incorporated llc llp plc gmbh ag kg ohg sa sas sarl srl spa nv bv ab oy oyj as aps kft pty "
    "co corp corporation company companies group holding holdings partners partnership associates ventures "
    "capital bank banking bancorp savings union hospital hospitals clinic clinics infirmary hospice university "
    "universität université universidad college school academy institute institut foundation trust council "
    "ministry department agency authority association society federation committee commission court tribunal "
    "chambers insurance assurance airlines airways pharmacy pharmaceuticals pharma laboratories laboratory labs "
    "lab systems technologies technology tech solutions consulting consultants consultancy services industries "
    "international enterprises logistics motors energy media press publishing studios records orchestra theatre "
    "theater museum library church cathedral mosque synagogue party centre center surgery practice police army "
    "navy firm fund bureau office club team league hotel restaurant cafe supermarket stores shop software "
    "networks telecom properties estates construction engineering securities utilities rentals freight brands "
    "landscaping electronics foods textiles plumbing catering bakery brewery brewing realty refinery"
)

PLACE = _set(
    "city town village county district province region state island islands isle lake river mountain mount valley "
    "bay beach coast forest airport station park square gardens bridge hill hills heights desert ocean sea "
    "harbour harbor peninsula borough parish north south east west northern southern eastern western central "
    "saint st san santa"
)
COMPASS = _set("north south east west northern southern eastern western central upper lower greater new old")

BEFORE_PLACE = _set("in near around outside inside across throughout via visiting visit visited leaving")
BEFORE_ORGANISATION = _set(
    "at for with by became joined join joining employer acme company firm bank employed works work worked working via "
    "versus vs v"
)
BEFORE_EITHER = _set("from to leaving left")

# An article or pronoun before capitalised everyday words makes them a defined term ("the Tenant"), not a name.
DETERMINERS = _set(
    "the a an this that these those any each every no such said all both either neither my your his her its our "
    "their some"
)

# A sentence that begins with one of these names, which are also words, goes on like this.
AFTER_SUBJECT = _set(
    "is was has had will would said says told tells asked asks called calls lives lived works worked came went "
    "got wants wanted needs thinks thought knows knew and or who whose did does can could should may might must "
    "also then never always just still already left gave took made met saw sent paid owes owed died suffers feels "
    "felt likes became"
)

# The same for words that are surnames only: "Good" mostly is none.
AFTER_SPEAKER = _set(
    "said says told tells asked called lives lived works worked moved wrote married owes owed died commented replied "
    "responded emailed texted resigned confirmed apologised apologized"
)

# "my name is anna weber": what follows is a name however it is written.
INTRODUCTION = (
    r"(?:my|his|her|their|patient|client|customer|the)(?:'s)? (?:full |first |last |sur|middle |maiden |"
    r"user)?name(?:'s| is:?| was:?|:)"
    r"|(?:named|name is:?|name was:?|goes by|introduce myself as|speaking with|it's me,)"
)

# "Parkinson's disease" is a condition (:mod:`lexicon`), not a person.
AFTER_EPONYM = _set(
    "disease syndrome disorder lymphoma sign test scale score palsy sarcoma tumor tumour dementia reaction"
)
EPONYMS = _set(
    "parkinson alzheimer crohn hodgkin huntington asperger tourette down turner marfan cushing addison graves "
    "hashimoto bell kawasaki ewing wilson raynaud sjogren sjögren meniere guillain barre hirschsprung klinefelter "
    "kaposi lyme burkitt barrett behcet berger christmas gaucher glasgow apgar rett rorschach babinski foley "
    "doppler kegel pap"
)

# What goes on a name that became a term: "Murphy sign", "Bayes' rule", "Foley catheter", "Reynolds number".
TERM_NOUNS = AFTER_EPONYM | _set(
    "catheter monitor tube drain retractor forceps clamp dressing splint brace cast boot collar maneuver "
    "manoeuvre procedure "
    "repair fundoplication position angle line node duct gland canal valve pouch bladder tract fracture cyst "
    "hernia ulcer "
    "esophagus oesophagus phenomenon contracture node thyroiditis chorea paralysis neuralgia criteria criterion "
    "classification "
    "grade stage index scale scoring stain smear agar medium solution needle trocar pin wire rod nail plate "
    "prosthesis "
    "theorem lemma law rule formula equation inequality series transform transformation method algorithm "
    "process chain "
    "distribution coefficient number constant principle paradox conjecture hypothesis function integral space "
    "matrix tensor "
    "operator polynomial expansion approximation diagram curve surface set group ring field graph tree code "
    "distance model "
    "equilibrium efficiency optimality machine effect force cycle hierarchy taxonomy alpha correlation exercise "
    "exercises "
    "lobe layer cell cells body bodies island islets area triangle plexus foramen tubercle dish flask burner "
    "scheme square"
)
