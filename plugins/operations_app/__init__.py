"""What the API server serves to on-call: the page of operations and its data as JSON."""
