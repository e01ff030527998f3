"""What the API server serves of the guards: the page, its data as JSON, and saved evidence."""
