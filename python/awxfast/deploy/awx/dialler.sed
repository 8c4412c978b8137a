# For AWX's supervisord_task.conf: the links to the web pods. Secret, Redis and database are those of AWX's settings.
s|^\(command *= *\)awx-manage run_wsrelay$|\1/var/lib/awx/venv/awx/bin/awxfast-broadcast|
