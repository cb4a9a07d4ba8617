"""What happened: the facts of each module, and the log that holds them."""
