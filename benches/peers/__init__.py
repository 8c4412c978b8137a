"""Who is measured: awxfast, the servers it is compared with, and how each is started."""
