"""An application: what it is told and says, and the channel layer that its consumers see."""
