"""What outlives the runs: verdicts on builds, the history of changes, and who was told of them."""
