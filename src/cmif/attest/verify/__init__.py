"""The relying side: `dcap` (SGX, TDX), `snp`, `nitro` and `simulated` turn evidence into `claims`, `policy` (TOML) says
which are good enough, `appraise` gives the verdict, `statement` that on a gateway's own words, `suggest` a policy.

`dcap-qvl` is imported only where an Intel quote is verified.
"""
