"""What is decided: pure functions of state, command, policy and time. No clock, no random, no input or output."""
