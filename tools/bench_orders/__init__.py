"""What the order processor makes of its time, what killed workers cost, and how many orders are claimed in a second."""
