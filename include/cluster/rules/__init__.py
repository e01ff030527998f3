"""What the API server decides about an object, as pure functions: dict in, dict or error out."""
