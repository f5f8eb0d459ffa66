"""Attestation: evidence of a TEE, its verification, and what is released to a verified one.

`prove/` runs inside a TEE, `verify/` wherever somebody decides whether to trust one; neither imports the other. What
both know lies here: `evidence` and `subject` (values), `messages` (of a key release) and `hpke`, `sealed` and `stream`
(the encrypted bundle), `spki` (pinned TLS), `simulated`.

Holds no socket and starts nothing.
"""
