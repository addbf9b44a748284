"""What every topic is made of: events, rows, views, answers and lists. Knows no topic."""
