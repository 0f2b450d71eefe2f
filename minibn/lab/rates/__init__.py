"""Learning-rate range tests: which rates to start from."""
