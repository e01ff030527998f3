"""Log clean-up: retention, the Job that carries it out, and what is said about it."""
