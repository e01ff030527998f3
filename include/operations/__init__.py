"""What on-call looks at: log volumes and orders over time, what is wrong now, and the on-call log."""
