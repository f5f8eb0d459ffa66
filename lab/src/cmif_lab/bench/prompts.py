"""Text to measure with: prose of the three fields CMIF is for, with names, numbers and dates in it, all
invented here."""

from __future__ import annotations

TEXT = """\
Margaret Ellison, aged 67, was brought to the emergency department by her daughter on the evening of
4 February after two days of shortness of breath and a cough that would not settle. She had been
treated for high blood pressure since 2009 and takes lisinopril 10 mg every morning; a cardiologist
in Leeds, Dr. Tobias Renner, had last seen her in November and noted a mild murmur. On arrival her
temperature was 38.4 degrees, her pulse 112 and irregular, and the oxygen in her blood stood at 91
per cent until a mask was fitted. The chest film showed a shadow at the base of the right lung, and
her blood tests pointed to an infection, with slightly weak kidneys. She was given antibiotics
through a drip, fluids, and a single tablet to slow the heart, which brought the rhythm back to
normal before midnight. She sleeps badly, worries about her husband, who has dementia, and asks
whether the nurse from the village practice may visit him while she is away. If she keeps improving
she can go home on Friday with a week of tablets; the practice should repeat the kidney test within
ten days and telephone her on 0113 496 0042 with the result.

To whom it may concern at Brightwater Savings: I have been a customer of your branch in Norwich for
nineteen years, and I have never before had reason to complain. On 17 June a payment of 1,840 pounds
left my account 60214478 for a hotel in Lisbon that I did not book. I rang your hotline the same
hour, waited for fifty minutes, and was told by a polite young man called Adrian that the card would
be stopped and the money returned in five working days. Three weeks later nothing has arrived. Two
letters went unanswered, the application on my telephone shows the claim as closed, and last Monday
my mortgage payment bounced, for which you then charged me a fee of 35 pounds. I am a widow living
on a small pension and I cannot absorb losses of this kind. Please refund both amounts, remove the
mark on my credit file, and write to me at josephine.harcourt@postbox.example to explain how a
stranger came to use a card that has never left my purse. Should I not hear from you before the end
of the month I shall take the matter to the ombudsman and move my savings elsewhere.

This memorandum concerns the dispute between Larkfield Estates and its tenant, the bakery run by
Henrik Solberg and his sister. The lease was signed on 1 March 2019 for ten years at a yearly rent
of 28,500 euros, to be reviewed after five. Clause 7 obliges the landlord to keep the roof, the
drains and the outer walls in repair; clause 12 lets the tenant hold back a fair part of the rent
while a serious defect remains, provided that written notice was given and thirty days have passed.
Water first came through the ceiling of the storeroom in October. Mr. Solberg wrote twice, enclosing
photographs, and in January a surveyor put the cost of mending the gutters at 6,200 euros. Larkfield
answers that the damage was caused by an extractor fan which the bakery fitted without consent, and
has served a demand for the unpaid quarter. In our view the fan is a side issue: the surveyor found
rot that must be older than the lease, and an employee of the landlord admitted as much in an e-mail
to our client. We recommend offering to pay the withheld rent into a blocked account, to ask the
court for an early inspection by an expert of its own choosing, and to keep the shop open meanwhile,
since a closed oven would weaken both the claim for lost custom and the goodwill of the neighbours,
on which a family business of this size depends.
"""

WORDS = tuple(TEXT.split())


def prose(words: int, start: int = 0) -> str:
    """``words`` words from word ``start`` on, going round at the end."""
    return " ".join(WORDS[(start + i) % len(WORDS)] for i in range(words))
