"""What everything stands on: it imports nothing of ours and knows no module."""
