# For AWX's supervisord.conf (20, 21) or supervisord_task.conf (from 22 on): the links between pods, without AWX's settings.
# Secret and database come from the container's variables (awx.yaml); the server's admin socket is not this program's.
s|^\(command *= *\)awx-manage run_wsbroadcast$|\1/opt/awxfast/bin/awxfast-broadcast --redis unix:///var/run/redis/redis.sock --protocol http --port 8052 --postgres application_name=awxfast --admin off|
s|^\(command *= *\)awx-manage run_wsrelay$|\1/opt/awxfast/bin/awxfast-broadcast --redis unix:///var/run/redis/redis.sock --protocol http --port 8052 --postgres application_name=awxfast --admin off|
# AWX 20.0 would kill after 5 s; supervisord's own 10 are enough for its links to close.
/^\[program:wsbroadcast\]/,/^\[/{
/^stopwaitsecs *=/d
}
