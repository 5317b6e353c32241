"""What the office takes out of the desk and puts in: exports of lists."""
