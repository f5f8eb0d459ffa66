"""Complaints to a bank."""

from __future__ import annotations

from cmif.types import Kind
from training.field.trade import Slot, Trade

BANK = Trade(
    name="bank",
    document="complaint",
    slots={
        "customer": Slot(
            Kind.PERSON,
            (
                "Who is the customer?",
                "What is the customer's name?",
                "Who wrote the complaint?",
                "Name the customer.",
                "Who complains?",
            ),
            "The customer is {}.",
        ),
        "agent": Slot(
            Kind.PERSON,
            (
                "Who is the agent?",
                "What is the agent's name?",
                "Who handles the case?",
                "Which agent is named?",
            ),
            "The agent is {}.",
        ),
        "manager": Slot(
            Kind.PERSON,
            (
                "Who is the branch manager?",
                "What is the manager's name?",
                "Name the manager.",
                "Who is the manager?",
            ),
            "The manager is {}.",
        ),
        "bank": Slot(
            Kind.ORGANISATION,
            (
                "Which bank is it?",
                "What is the name of the bank?",
                "Which bank is the complaint about?",
                "Name the bank.",
            ),
            "The bank is {}.",
            "bank",
        ),
        "shop": Slot(
            Kind.ORGANISATION,
            (
                "Which merchant is named?",
                "Who took the payment?",
                "What is the name of the shop?",
                "Which shop is it?",
            ),
            "The shop is {}.",
            "company",
        ),
        "branch": Slot(
            Kind.PLACE,
            ("Where is the branch?", "In which city is the branch?", "Which branch is it?"),
            "The branch is in {}.",
        ),
        "when": Slot(
            Kind.DATE,
            (
                "When did it happen?",
                "On what date was the payment?",
                "What is the date of the problem?",
                "When was the problem?",
            ),
            "It happened on {}.",
        ),
        "deadline": Slot(
            Kind.DATE,
            (
                "What is the deadline?",
                "By when must the bank answer?",
                "When is the answer due?",
                "By what date is an answer wanted?",
            ),
            "The deadline is {}.",
        ),
        "account": Slot(
            Kind.ID,
            ("What is the account number?", "Which account is it?", "Give the account number."),
            "The account number is {}.",
        ),
        "case": Slot(
            Kind.ID,
            (
                "What is the case number?",
                "What is the reference of the case?",
                "Give the case number.",
                "Which case number is given?",
            ),
            "The case number is {}.",
        ),
        "iban": Slot(
            Kind.IBAN, ("What is the IBAN?", "Which IBAN is given?", "Give the IBAN."), "The IBAN is {}."
        ),
        "card": Slot(
            Kind.CARD,
            ("What is the card number?", "Which card was used?", "Give the card number."),
            "The card number is {}.",
        ),
        "amount": Slot(
            "amount",
            (
                "How much was charged?",
                "What is the amount?",
                "How much money is it about?",
                "Which sum is in question?",
            ),
            "The amount is {}.",
        ),
        "phone": Slot(
            Kind.PHONE,
            (
                "What is the phone number?",
                "Which number should be called?",
                "What is the customer's phone number?",
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
                "What is the customer's address?",
                "What is the address?",
                "Where does the customer live?",
                "Give the street address.",
            ),
            "The address is {}.",
        ),
        "problem": Slot(
            "problem",
            ("What is the problem?", "What is the complaint about?", "Why does the customer complain?"),
            "The problem is {}.",
        ),
        "wish": Slot(
            "wish",
            ("What does the customer want?", "What is asked for?", "What should the bank do?"),
            "The customer wants {}.",
        ),
    },
    lead=(
        "The customer {customer} complains to {bank} about {problem}.",
        "I am {customer}, a customer of {bank}, and I complain about {problem}.",
        "Complaint to {bank}: the customer {customer} reports {problem}.",
        "Dear {bank}, my name is {customer} and I write about {problem}.",
        "Customer: {customer}. Bank: {bank}. Problem: {problem}.",
        "{bank} received a complaint from the customer {customer} about {problem}.",
        "My name is {customer}. I have an account with {bank}. The problem is {problem}.",
        "We have a letter from {customer}, a customer of {bank}, about {problem}.",
    ),
    body=(
        (
            "The agent was {agent}.",
            "The case is handled by the agent {agent}.",
            "Agent: {agent}.",
            "I spoke to your agent {agent}.",
        ),
        (
            "The branch manager is {manager}.",
            "Manager: {manager}.",
            "The manager {manager} did not help.",
            "A copy goes to the manager {manager}.",
        ),
        (
            "The payment went to {shop}.",
            "The shop was {shop}.",
            "The money was taken by {shop}.",
            "Merchant: {shop}.",
        ),
        (
            "The branch is in {branch}.",
            "Branch: {branch}.",
            "It is about the branch in {branch}.",
            "I use the {branch} branch.",
        ),
        (
            "It happened on {when}.",
            "Date of the problem: {when}.",
            "The payment was made on {when}.",
            "This was on {when}.",
        ),
        (
            "The deadline for an answer is {deadline}.",
            "Please answer by {deadline}.",
            "Answer due: {deadline}.",
            "An answer is expected before {deadline}.",
        ),
        (
            "The account number is {account}.",
            "Account: {account}.",
            "It is about account number {account}.",
            "My account number is {account}.",
        ),
        (
            "The case number is {case}.",
            "Case: {case}.",
            "The reference of the case is {case}.",
            "Case reference: {case}.",
        ),
        ("The IBAN is {iban}.", "IBAN: {iban}.", "Please pay to IBAN {iban}."),
        ("The card number is {card}.", "Card: {card}.", "The card used was {card}."),
        (
            "The amount is {amount}.",
            "Amount: {amount}.",
            "The charge was {amount}.",
            "It is about {amount}.",
            "A sum of {amount} is missing.",
        ),
        (
            "The phone number is {phone}.",
            "Phone: {phone}.",
            "Please call me on {phone}.",
            "The customer can be called on {phone}.",
        ),
        (
            "The e-mail address is {email}.",
            "Email: {email}.",
            "Please write to {email}.",
            "The customer's email is {email}.",
        ),
        (
            "The address is {address}.",
            "Address: {address}.",
            "The customer lives at {address}.",
            "My address is {address}.",
        ),
        ("The customer wants {wish}.", "Wanted: {wish}.", "I want {wish}.", "The customer asks for {wish}."),
    ),
    summary="{customer} complains to {bank} about {problem}.",
    form=(("Customer", "customer"), ("Bank", "bank"), ("Problem", "problem")),
)
