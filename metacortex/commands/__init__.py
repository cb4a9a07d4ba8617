"""What may happen: the commands and rules of each module, and the bus that runs them."""
