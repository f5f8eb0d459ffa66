"""A page for the person at this machine: what was typed, what the engine sees, what it wrote, what is read.

It has a port of its own on loopback, is opened by a token that works once, loads nothing from anywhere else, and is
imported only when `cmif gateway --ui` asks for it.
"""
