"""How a privacy table is made, by whoever splits a model: ``vectors -> partition -> laws -> build``.

Pure mathematics over public words: no torch, no sockets, no user text. What comes out is proven by `cmif.privacy`
before it is written, and once more by every enclave that opens it.
"""
