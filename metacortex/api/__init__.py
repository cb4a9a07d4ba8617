"""How it is said in HTTP: routes, request bodies, and who is asking."""
