"""Which commands does `ratchet` have, one theme a file, and what do they read and print?"""
