"""What all programs of the shop share: settings, HTTP server, database, logs, build identity."""
