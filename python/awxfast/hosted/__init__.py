"""An application: what it is told and what it says, and the channel layer that its consumers see."""
