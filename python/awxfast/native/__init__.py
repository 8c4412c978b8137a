"""AWX's protocol spoken by awxfast itself: endpoints, one browser's session, who may see what."""
