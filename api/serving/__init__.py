"""What of the server is not gunicorn's: its worker and its master, deadlines of clients, and the page of metrics."""
