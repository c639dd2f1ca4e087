"""In which steps did the ledger's tables become what they are today?"""
