"""HTTP/1.1: connections, requests and their time limits, responses, TLS, the access log."""
