"""What may happen: each module's commands and rules, and the bus that runs them."""
