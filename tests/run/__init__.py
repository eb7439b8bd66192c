"""What `make` runs: each check as a stage with a time limit, on a machine where nothing is prepared."""
