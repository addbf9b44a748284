"""What a renter does in one go: find nodes, know the price, book them, run a job, end."""
