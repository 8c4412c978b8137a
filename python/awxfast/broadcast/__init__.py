"""Other nodes: both eras of AWX's backplane, the end that is dialled and the end that dials."""
