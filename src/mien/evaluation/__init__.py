"""How good a network is: figures, calibration, figures to look at, and the public ledger."""
