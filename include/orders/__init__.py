"""The rules of order processing: how much waits, what a batch can do, what its log means, and who is told."""
