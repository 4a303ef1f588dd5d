"""What listens: thin agents that parse, load, decide, save and publish."""
