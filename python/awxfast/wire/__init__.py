"""What bytes and JSON mean: requests, cookies and tokens, browser commands. No sockets, no clocks."""
