"""A Django site with Channels, as small as it can be and still be one."""
