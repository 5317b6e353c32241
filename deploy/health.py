"""`python deploy/health.py /livez`: exits with 0 if this container's web process responds with 200 within 8 s.

The health checks in compose.yaml run this program. It uses no proxy and imports none of our modules, so a check is
cheap.
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
