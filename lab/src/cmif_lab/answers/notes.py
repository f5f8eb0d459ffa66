"""Notes as a hospital, a bank and a law firm write them, with one question each whose answer is known.

Every name, number and date is drawn here; no real person is meant. The names are ordinary ones of many
origins, so that a detector which knows only the commonest does not look better than it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

GIVEN = (
    "Eleanor", "Tunde", "Marisol", "Priya", "Anneke", "Gareth", "Yusuf", "Siobhan", "Katarzyna", "Hiroshi", "Ingrid",
    "Rosalind", "Dmitri", "Leilani", "Matteo", "Farah", "Owen", "Beatriz", "Lars", "Nkechi", "Colette", "Rahul",
)  # fmt: skip
FAMILY = (
    "Whitfield", "Adeyemi", "Castellanos", "Raghunathan", "Vandermeer", "Pritchard", "Demirci", "Gallagher", "Nowicka",
    "Tanabe", "Lindqvist", "Ashworth", "Volkov", "Kahale", "Ferraro", "Haddad", "Llewellyn", "Figueiredo", "Halvorsen",
    "Okonkwo", "Marchand", "Deshpande",
)  # fmt: skip
PLACES = ("Rotterdam", "Galway", "Tucson", "Lagos", "Krakow", "Osaka", "Bergen", "Leeds", "Porto", "Halifax")
MONTHS = ("January", "February", "March", "April", "June", "July", "August", "September", "October")
COMPLAINTS = (
    ("chest pain", "angina", "aspirin"),
    ("a persistent cough", "asthma", "salbutamol"),
    ("frequent thirst", "diabetes", "metformin"),
    ("low mood", "depression", "sertraline"),
    ("joint pain", "arthritis", "naproxen"),
    ("heartburn", "gastritis", "omeprazole"),
)
PRODUCTS = ("mortgage", "car loan", "credit card", "savings account", "overdraft")
SUBJECTS = ("a warehouse", "a bakery", "an office", "a workshop", "a flat")
FIRMS = ("Halcyon Robotics Ltd", "Brightwater Textiles GmbH", "Oakmere Logistics plc", "Tessaro Foods BV")


@dataclass(frozen=True)
class Note:
    """``private`` are the parts of ``text`` that name a person, a place, a number or a date; ``truth`` answers
    ``question`` and stands in ``text``.
    """

    field: str
    text: str
    question: str
    truth: str
    private: tuple[str, ...]


def generate(count: int, seed: int = 0) -> list[Note]:
    """``count`` notes, a third from each trade, the same for the same ``seed``."""
    random = Random(seed)
    return [(_hospital, _bank, _law)[number % 3](random) for number in range(count)]


def _person(random: Random) -> str:
    return f"{random.choice(GIVEN)} {random.choice(FAMILY)}"


def _date(random: Random) -> str:
    return f"{random.randint(1, 28)} {random.choice(MONTHS)} {random.randint(2019, 2025)}"


def _hospital(random: Random) -> Note:
    patient, doctor, seen, place = _person(random), _person(random), _date(random), random.choice(PLACES)
    record = f"{random.randint(1000, 9999)}-{random.randint(1000, 9999)}"
    complaint, diagnosis, drug = random.choice(COMPLAINTS)
    dose = 25 * random.randint(1, 20)
    text = (
        f"Patient: {patient}, record number {record}, lives in {place}. Seen on {seen} by Dr. {doctor}. "
        f"Reports {complaint} for {random.randint(2, 9)} weeks. Diagnosis: {diagnosis}. "
        f"Started {drug} {dose} mg daily. Review in {random.randint(2, 8)} weeks."
    )
    question, truth = random.choice(
        (
            ("What is the name of the patient?", patient),
            ("Which doctor saw the patient?", doctor),
            ("What is the diagnosis?", diagnosis),
            ("Which drug was started?", drug),
            ("On which date was the patient seen?", seen),
        )
    )
    return Note("hospital", text, question, truth, (patient, doctor, seen, place, record, diagnosis))


def _bank(random: Random) -> Note:
    client, officer, called, place = _person(random), _person(random), _date(random), random.choice(PLACES)
    account = str(random.randint(10_000_000, 99_999_999))
    fee, product = random.randint(15, 480), random.choice(PRODUCTS)
    text = (
        f"Call note. {client} of {place} called on {called} about the {product}, account number {account}. "
        f"A fee of {fee} dollars was charged twice. {officer} promised a refund within "
        f"{random.randint(3, 15)} working days. The client has missed no payment."
    )
    question, truth = random.choice(
        (
            ("Who called the bank?", client),
            ("What is the account number?", account),
            ("How many dollars was the fee?", str(fee)),
            ("Who promised the refund?", officer),
            ("Which product was the call about?", product),
        )
    )
    return Note("bank", text, question, truth, (client, officer, called, place, account))


def _law(random: Random) -> Note:
    landlord, tenant, signed, place = (
        _person(random),
        random.choice(FIRMS),
        _date(random),
        random.choice(PLACES),
    )
    rent, notice, subject = 100 * random.randint(6, 60), random.choice((30, 60, 90)), random.choice(SUBJECTS)
    text = (
        f"Lease of {subject} in {place}, signed on {signed}. The landlord is {landlord}; the tenant is {tenant}. "
        f"The rent is {rent} euros a month, due on the first day of each month. Either party may end the lease with "
        f"{notice} days of notice. The tenant answers for damage to the premises."
    )
    question, truth = random.choice(
        (
            ("Who is the landlord?", landlord),
            ("Who is the tenant?", tenant),
            ("When was the lease signed?", signed),
            ("How many euros is the monthly rent?", str(rent)),
            ("How many days of notice are needed?", str(notice)),
        )
    )
    return Note("law", text, question, truth, (landlord, tenant, signed, place))
