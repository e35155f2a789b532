"""Facts of channels known before the model runs: constants, equal ones, those that nothing reads."""
