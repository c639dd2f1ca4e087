"""Seven thousand damaged inputs: which of them makes a command crash, lose a row or quote one?"""
