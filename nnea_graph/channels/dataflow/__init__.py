"""What is known of channels before the model runs: constants, equal ones, those that nothing reads."""
