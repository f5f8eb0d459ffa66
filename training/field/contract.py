"""Contract clauses."""

from __future__ import annotations

from cmif.types import Kind
from training.field.trade import Slot, Trade

CONTRACT = Trade(
    name="contract",
    document="contract",
    slots={
        "supplier": Slot(
            Kind.ORGANISATION,
            (
                "Who is the supplier?",
                "What is the name of the supplier?",
                "Which company is the supplier?",
                "Name the supplier.",
                "Who provides the service?",
            ),
            "The supplier is {}.",
            "company",
        ),
        "client": Slot(
            Kind.PERSON,
            (
                "Who is the client?",
                "What is the client's name?",
                "Name the client.",
                "Who is the other party?",
            ),
            "The client is {}.",
        ),
        "witness": Slot(
            Kind.PERSON,
            (
                "Who is the witness?",
                "Who witnessed the contract?",
                "Name the witness.",
                "What is the name of the witness?",
            ),
            "The witness is {}.",
        ),
        "guarantor": Slot(
            Kind.PERSON,
            ("Who is the guarantor?", "Who guarantees the payment?", "Name the guarantor."),
            "The guarantor is {}.",
        ),
        "lawyer": Slot(
            Kind.PERSON,
            (
                "Who is the lawyer?",
                "Which lawyer drew up the contract?",
                "What is the lawyer's name?",
                "Name the lawyer.",
            ),
            "The lawyer is {}.",
        ),
        "court": Slot(
            Kind.PLACE,
            (
                "Which court decides?",
                "Where is the court?",
                "In which city is the court?",
                "What is the place of jurisdiction?",
            ),
            "The court is in {}.",
        ),
        "start": Slot(
            Kind.DATE,
            (
                "When does the contract start?",
                "What is the start date?",
                "From when is the contract valid?",
                "When does it begin?",
            ),
            "The contract starts on {}.",
        ),
        "end": Slot(
            Kind.DATE,
            (
                "When does the contract end?",
                "What is the end date?",
                "Until when is the contract valid?",
                "When does it expire?",
            ),
            "The contract ends on {}.",
        ),
        "signed": Slot(
            Kind.DATE,
            (
                "When was the contract signed?",
                "What is the date of signature?",
                "On what date was it signed?",
            ),
            "The contract was signed on {}.",
        ),
        "number": Slot(
            Kind.ID,
            (
                "What is the contract number?",
                "Which number does the contract have?",
                "Give the contract number.",
            ),
            "The contract number is {}.",
        ),
        "price": Slot(
            "amount",
            ("What is the price?", "How much does the client pay?", "How much is paid?", "What is the fee?"),
            "The price is {}.",
        ),
        "deposit": Slot(
            "amount",
            ("How much is the deposit?", "What is the deposit?", "What deposit is due?"),
            "The deposit is {}.",
        ),
        "notice": Slot(
            "days",
            ("What is the notice period?", "How long is the notice?", "How much notice must be given?"),
            "The notice period is {}.",
        ),
        "phone": Slot(
            Kind.PHONE,
            ("What is the phone number?", "Which number should be called?", "Give the phone number."),
            "The phone number is {}.",
        ),
        "email": Slot(
            Kind.EMAIL,
            (
                "What is the e-mail address?",
                "What is the email address?",
                "Where should notices be sent?",
                "Give the e-mail address.",
            ),
            "The e-mail address is {}.",
        ),
        "address": Slot(
            Kind.ADDRESS,
            (
                "What is the address?",
                "Where is the property?",
                "What is the address of the property?",
                "Give the street address.",
            ),
            "The address is {}.",
        ),
        "iban": Slot(
            Kind.IBAN,
            ("What is the IBAN?", "To which IBAN must be paid?", "Give the IBAN."),
            "The IBAN is {}.",
        ),
        "subject": Slot(
            "subject",
            (
                "What is the contract about?",
                "What is the subject of the contract?",
                "What does the contract cover?",
            ),
            "The contract is about {}.",
        ),
        "penalty": Slot(
            "penalty",
            (
                "What is the penalty for late payment?",
                "What happens if payment is late?",
                "Which penalty applies?",
            ),
            "The penalty is {}.",
        ),
    },
    lead=(
        "This contract between the supplier {supplier} and the client {client} is about {subject}.",
        "The supplier {supplier} and the client {client} agree on {subject}.",
        "Contract. Supplier: {supplier}. Client: {client}. Subject: {subject}.",
        "By this agreement {supplier}, the supplier, provides {client}, the client, with {subject}.",
        "The parties are {supplier} as supplier and {client} as client. The contract covers {subject}.",
        "The client is {client}. The supplier is {supplier}. The subject is {subject}.",
        "Between {client} (the client) and {supplier} (the supplier) the following is agreed about {subject}.",
    ),
    body=(
        (
            "The witness was {witness}.",
            "Witness: {witness}.",
            "The contract was witnessed by {witness}.",
            "As a witness signs {witness}.",
        ),
        ("The guarantor is {guarantor}.", "Guarantor: {guarantor}.", "Payment is guaranteed by {guarantor}."),
        ("The lawyer is {lawyer}.", "The contract was drawn up by the lawyer {lawyer}.", "Lawyer: {lawyer}."),
        (
            "The court is in {court}.",
            "Disputes go to the court in {court}.",
            "Place of jurisdiction: {court}.",
            "The courts of {court} decide.",
        ),
        (
            "The contract starts on {start}.",
            "Start date: {start}.",
            "It begins on {start}.",
            "It is valid from {start}.",
        ),
        (
            "The contract ends on {end}.",
            "End date: {end}.",
            "It expires on {end}.",
            "It is valid until {end}.",
        ),
        (
            "The contract was signed on {signed}.",
            "Signed on {signed}.",
            "Date of signature: {signed}.",
            "Both parties signed on {signed}.",
        ),
        (
            "The contract number is {number}.",
            "Contract number: {number}.",
            "This is contract no. {number}.",
            "It has the number {number}.",
        ),
        ("The price is {price}.", "Price: {price}.", "The client pays {price}.", "The fee is {price}."),
        (
            "The deposit is {deposit}.",
            "Deposit: {deposit}.",
            "A deposit of {deposit} is due.",
            "The client leaves a deposit of {deposit}.",
        ),
        (
            "The notice period is {notice}.",
            "Notice period: {notice}.",
            "Either party may end it with {notice} notice.",
            "A notice of {notice} is required.",
        ),
        (
            "The phone number is {phone}.",
            "Phone: {phone}.",
            "The supplier can be called on {phone}.",
            "Calls go to {phone}.",
        ),
        (
            "The e-mail address is {email}.",
            "Email: {email}.",
            "Notices are sent to {email}.",
            "Please write to {email}.",
        ),
        (
            "The address is {address}.",
            "Address: {address}.",
            "The property is at {address}.",
            "The work is done at {address}.",
        ),
        ("The IBAN is {iban}.", "IBAN: {iban}.", "Payment is made to IBAN {iban}."),
        (
            "The penalty for late payment is {penalty}.",
            "Penalty: {penalty}.",
            "Late payment leads to {penalty}.",
            "If payment is late, the penalty is {penalty}.",
        ),
    ),
    summary="{supplier} and {client} agree on {subject}.",
    form=(("Supplier", "supplier"), ("Client", "client"), ("Subject", "subject")),
)
