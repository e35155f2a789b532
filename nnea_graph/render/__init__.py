"""The report in the formats that people and programs read. Nothing is computed here."""
