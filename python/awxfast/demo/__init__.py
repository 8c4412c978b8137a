"""`awxfast demo`: a private Redis, a relay, made-up producers, browsers that measure, and a page to look at."""
