# For AWX's supervisord_web.conf: one word of daphne's line.
s|^\(command *= *\)/var/lib/awx/venv/awx/bin/daphne |\1/var/lib/awx/venv/awx/bin/awxfast |
# An orderly end may take --grace + 5 s; supervisord would kill after 10.
/^\[program:daphne\]/a\
stopwaitsecs = 15
