"""Attestation: evidence of a TEE, its verification, and what is released to a verified one.

`evidence` (values), `dcap` (SGX, TDX), `snp`, `nitro`, `simulated` (verifiers), `policy` (TOML), `appraise` (the
verdict), `suggest` (a policy from evidence), `produce` (evidence inside a TEE), `exchange` (key release messages),
`stream` and `sealed` (the encrypted bundle), `statement` (what a running gateway says of itself).

Holds no socket and starts nothing. `dcap-qvl` is imported only where an Intel quote is verified, which no gateway does.
"""
