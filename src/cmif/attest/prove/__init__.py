"""The enclave's side: `produce` (evidence, by `nsm` on Nitro), `exchange` (a key release), `statement` (of
itself), which `route` serves."""
