"""The mechanism: optimised Report-Noisy-Max over public buckets, proven in integers.

::

    integers -> entries -> certify -> table -> sample        how the table came to be: `cmif_server.tables`
    accounting: what draws add up to        cover: the true text among decoys, epsilon 0 inside the view

Pure mathematics: no torch, no sockets, no clock that matters, no user text. Its only file is the table's own.
"""
