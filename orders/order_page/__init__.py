"""What the staff's pages on one order tell, before any HTML: read from models, or pure."""
