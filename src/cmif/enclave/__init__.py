"""What runs in the enclave: no socket, no file, no clock but its own process's."""

import re

# CPython before 3.11.5 matches possessive quantifiers wrongly (its issue 100061): the last letters of words would be
# found in no word, and sent.
if re.fullmatch(r"(?:(?!c).)++c", "abc") is None:
    raise ImportError("This Python's regular expressions are broken: CMIF needs Python 3.11.5 or newer.")
