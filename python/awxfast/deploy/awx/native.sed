# For AWX's supervisord.conf or supervisord_web.conf: daphne's line becomes that of a relay without an application.
s|^\(command *= *\)/var/lib/awx/venv/awx/bin/daphne .*|\1/opt/awxfast/bin/awxfast -b 127.0.0.1 -p 8051 --websocket_timeout -1 --proxy-headers --redis unix:///var/run/redis/redis.sock --auth forward=http://127.0.0.1:8052/api/v2/me/|
# An orderly end may take --grace + 5 s; supervisord would kill after 10. AWX 20.0 kills daphne at once and calls it running
# after a second, in lines further down, which would count.
/^\[program:daphne\]/,/^\[/{
/^startsecs *=/d
/^stopsignal *=/d
/^stopwaitsecs *=/d
}
/^\[program:daphne\]/a\
startsecs = 30\
stopwaitsecs = 15
