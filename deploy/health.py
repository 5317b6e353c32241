"""`python deploy/health.py /livez`: asks the web process of this container; ends with 0 if it answers 200 within 8 s.

compose.yaml's health checks. It knows no proxy and imports nothing of ours, so a check costs as little as can be.
"""

import http.client
import sys

if __name__ == "__main__":
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=8)
    try:
        connection.request("GET", sys.argv[1])
        answer = connection.getresponse()
        print(answer.status, answer.read(2000).decode())
        sys.exit(answer.status != 200)
    except OSError as error:
        sys.exit(f"no answer: {error}")
