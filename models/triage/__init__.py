"""Why did the agent err: a feature's weight (A), the threshold (B), or the procedure (C)?"""
