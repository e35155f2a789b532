"""Other processes: how they are started, limited, talked to, and ended in time."""
