"""What makes the environment, runs the demo and checks the tree; not needed to use the pipelines."""
