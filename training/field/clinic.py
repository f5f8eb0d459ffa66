"""Clinical notes."""

from __future__ import annotations

from cmif.types import Kind
from training.field.trade import Slot, Trade

CLINIC = Trade(
    name="clinic",
    document="clinical note",
    slots={
        "patient": Slot(
            Kind.PERSON,
            (
                "Who is the patient?",
                "What is the patient's name?",
                "What is the name of the patient?",
                "Who was treated?",
                "Name the patient.",
            ),
            "The patient is {}.",
        ),
        "doctor": Slot(
            Kind.PERSON,
            (
                "Who is the doctor?",
                "Which doctor saw the patient?",
                "What is the doctor's name?",
                "Name the doctor.",
                "Who is the treating physician?",
            ),
            "The doctor is {}.",
        ),
        "nurse": Slot(
            Kind.PERSON,
            ("Who is the nurse?", "What is the nurse's name?", "Which nurse is named?", "Name the nurse."),
            "The nurse is {}.",
        ),
        "contact": Slot(
            Kind.PERSON,
            (
                "Who is the emergency contact?",
                "Who should be called in an emergency?",
                "Name the emergency contact.",
                "What is the name of the emergency contact?",
            ),
            "The emergency contact is {}.",
        ),
        "hospital": Slot(
            Kind.ORGANISATION,
            (
                "Which hospital is it?",
                "Where was the patient treated?",
                "What is the name of the hospital?",
                "At which hospital was the patient seen?",
                "Name the hospital.",
            ),
            "The hospital is {}.",
            "clinic",
        ),
        "city": Slot(
            Kind.PLACE,
            (
                "Where does the patient live?",
                "Which city does the patient live in?",
                "In which town does the patient live?",
                "What is the patient's home town?",
            ),
            "The patient lives in {}.",
        ),
        "age": Slot(
            "age",
            ("How old is the patient?", "What is the patient's age?", "What age is the patient?"),
            "The patient is {} years old.",
        ),
        "born": Slot(
            Kind.DATE,
            (
                "When was the patient born?",
                "What is the date of birth?",
                "What is the patient's date of birth?",
                "Give the date of birth.",
            ),
            "The date of birth is {}.",
        ),
        "seen": Slot(
            Kind.DATE,
            (
                "When was the patient seen?",
                "On what date was the visit?",
                "When was the patient admitted?",
                "What is the date of the visit?",
            ),
            "The visit was on {}.",
        ),
        "next": Slot(
            Kind.DATE,
            (
                "When is the next appointment?",
                "When should the patient come back?",
                "What is the date of the next appointment?",
                "When is the follow-up?",
            ),
            "The next appointment is on {}.",
        ),
        "record": Slot(
            Kind.ID,
            (
                "What is the record number?",
                "What is the patient's record number?",
                "Give the record number.",
                "Which record number does the note give?",
            ),
            "The record number is {}.",
        ),
        "phone": Slot(
            Kind.PHONE,
            (
                "What is the phone number?",
                "Which number should be called?",
                "What is the patient's phone number?",
                "Give the phone number.",
            ),
            "The phone number is {}.",
        ),
        "email": Slot(
            Kind.EMAIL,
            (
                "What is the e-mail address?",
                "What is the email address?",
                "Which email is given?",
                "Give the e-mail address.",
            ),
            "The e-mail address is {}.",
        ),
        "address": Slot(
            Kind.ADDRESS,
            (
                "What is the patient's address?",
                "What is the address?",
                "What is the home address?",
                "Give the street address.",
            ),
            "The address is {}.",
        ),
        "complaint": Slot(
            "complaint",
            (
                "What is the complaint?",
                "What is wrong with the patient?",
                "Why did the patient come?",
                "What was the reason for the visit?",
            ),
            "The complaint is {}.",
        ),
        "drug": Slot(
            "drug",
            (
                "Which drug was prescribed?",
                "What medicine was given?",
                "What drug does the patient take?",
                "Which medication was prescribed?",
            ),
            "The drug is {}.",
        ),
        "dose": Slot(
            "dose",
            ("What is the dose?", "How much of the drug was prescribed?", "What dose was given?"),
            "The dose is {}.",
        ),
        "allergen": Slot(
            "allergen",
            (
                "What is the patient allergic to?",
                "Which allergy is known?",
                "Does the patient have an allergy?",
            ),
            "The allergy is to {}.",
        ),
        "bill": Slot(
            "amount",
            (
                "How much is the bill?",
                "What did the visit cost?",
                "How much must be paid?",
                "What is the amount of the bill?",
            ),
            "The bill is {}.",
        ),
    },
    lead=(
        "The patient {patient} came to {hospital} on {seen} with {complaint}.",
        "On {seen} the patient {patient} was seen at {hospital} for {complaint}.",
        "Clinical note: patient {patient} was admitted to {hospital} on {seen} because of {complaint}.",
        "Our patient {patient} visited {hospital} on {seen} and complained of {complaint}.",
        "Patient: {patient}. Hospital: {hospital}. Date of visit: {seen}. Complaint: {complaint}.",
        "The patient is {patient}. The visit was at {hospital} on {seen}. The reason was {complaint}.",
        "We saw {patient}, a patient of {hospital}, on {seen} for {complaint}.",
        "This note is about {patient}, who was treated at {hospital} on {seen} for {complaint}.",
    ),
    body=(
        (
            "The doctor was {doctor}.",
            "The treating physician was {doctor}.",
            "Doctor: {doctor}.",
            "The patient was seen by the doctor {doctor}.",
            "The attending doctor, {doctor}, wrote this note.",
            "Our doctor {doctor} examined the patient.",
        ),
        (
            "The nurse was {nurse}.",
            "The nurse {nurse} took the blood pressure.",
            "Nurse on duty: {nurse}.",
            "The wound was dressed by the nurse {nurse}.",
        ),
        (
            "The emergency contact is {contact}.",
            "In an emergency call {contact}.",
            "Emergency contact: {contact}.",
            "The patient named {contact} as emergency contact.",
        ),
        (
            "The patient lives in {city}.",
            "Home town: {city}.",
            "The patient is from {city}.",
            "The patient's home is in {city}.",
        ),
        (
            "The patient is {age} years old.",
            "Age: {age}.",
            "The patient, aged {age}, lives alone.",
            "The patient is {age} years of age.",
        ),
        ("The patient was born on {born}.", "Date of birth: {born}.", "The date of birth is {born}."),
        (
            "The next appointment is on {next}.",
            "The patient should come back on {next}.",
            "Next appointment: {next}.",
            "A follow-up was booked for {next}.",
        ),
        (
            "The record number is {record}.",
            "Record number: {record}.",
            "The file has the record number {record}.",
            "Record no. {record}.",
        ),
        (
            "The phone number is {phone}.",
            "Phone: {phone}.",
            "The patient can be reached by phone at {phone}.",
            "Call the patient on {phone}.",
        ),
        (
            "The e-mail address is {email}.",
            "Email: {email}.",
            "The patient writes from {email}.",
            "Results go to {email}.",
        ),
        (
            "The address is {address}.",
            "Address: {address}.",
            "The patient lives at {address}.",
            "Letters go to {address}.",
        ),
        (
            "The doctor prescribed {drug}, {dose} a day.",
            "Medication: {drug} {dose}.",
            "The patient takes {drug} at a dose of {dose}.",
            "Treatment was started with {drug} {dose}.",
            "We prescribed {dose} of {drug}.",
        ),
        (
            "The patient is allergic to {allergen}.",
            "Known allergy: {allergen}.",
            "There is an allergy to {allergen}.",
        ),
        (
            "The bill is {bill}.",
            "The visit cost {bill}.",
            "Amount to pay: {bill}.",
            "The patient must pay {bill}.",
        ),
    ),
    summary="{patient} was seen at {hospital} on {seen} for {complaint}.",
    form=(("Patient", "patient"), ("Hospital", "hospital"), ("Date", "seen"), ("Complaint", "complaint")),
)
