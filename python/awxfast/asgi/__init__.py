"""The application: the channel layer put in place, scope, receive and send."""
