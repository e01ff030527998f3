"""The payment queue of UpCommerce: its states in the database, and the thread that sends payments."""
