"""The loop's verbs as plain functions; flows, the command line, demo and backtest all call these."""
