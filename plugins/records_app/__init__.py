"""What the API server serves of the records: the page of releases, and the call that records a verdict."""
